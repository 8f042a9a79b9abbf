"""Make what is almost valid: a valid tree, text or file with some of it changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

TRAP = "fuzz_trap"
"""Name a module that leaves a mark when it is imported; see `fuzzing.guard`."""

Path = tuple[Any, ...]


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


_NUMBERS = [0, 1, -1, 2, 3, 7, 255, 256, 4096, 10**5, 2**20, 2**31 - 1, 2**31, 2**53, 2**63 - 1]
_NUMBERS += [2**63, 2**64, -(2**31), -(2**63), 10**30, 10**400]
_REALS = [0.0, -0.0, 0.5, 1.0, 1.5, -1.0, 1e-3, 5e-324, 1e-12, 1e12, 1e30, 1e300, 1e308, -1e308]
_REALS += [float("nan"), float("inf"), float("-inf")]
_TEXTS = [
    "",
    "x",
    "a" * 3000,
    "\0",
    "🦄",
    "\ud800",
    "../../etc/passwd",
    "%s%n",
    "\x1b[2J",
    "1",
    "-1",
]
_TEXTS += [
    "float",
    "float64",
    "S2000000000",
    "O",
    "V9",
    "datetime64[ns]",
    "host",
    "linear",
    "local",
]
_TEXTS += ["reparameterization", "reference", f"{TRAP}:Trap-v0", TRAP, "CartPole-v1", ":"]
_SHAPES: list[Any] = [
    *(
        [],
        {},
        [[]],
        [0],
        [1, 2],
        [1.5, "x"],
        [None],
        [[1], [1, 2]],
        [1] * 300,
        {"a": 1},
        {"type": 1},
    ),
    *(deep(40), deep(200), {"type": "Network"}, {"type": f"{TRAP}:Trap"}, {"type": "Described"}),
    {"array": [1.0, 2.0], "dtype": "float64", "shape": [2]},
    {"array": [1.0], "dtype": "S2000000000", "shape": [1]},
    {"array": [[1.0]], "dtype": "float64", "shape": [10**9, 10**9]},
    {"array": ["x" * 10**6, *["y"] * 2000], "dtype": "float64", "shape": [2001]},
    {"array": [1.0], "dtype": "float64", "shape": [-1]},
    {"array": [], "dtype": "float64", "shape": [0, 10**18]},
    {"array": [True], "dtype": "bool", "shape": [1]},
    {"array": [10**400], "dtype": "int64", "shape": [1]},
    {"array": deep(70), "dtype": "float64", "shape": [1] * 70},
    {"type": "Uniform", "low": -1e308, "high": 1e308},
    {"type": "OneHot", "n": 10**12, "start": 0},
    {"type": "Tiles", "low": deep(0), "high": 2, "tilings": 10**9, "bins": 10**9},
    {"type": "PlaceCells", "rows": 10**6, "columns": 10**6},
    {"type": "Combinations", "n": 3, "active": 10**8, "channels": 2 * 10**8},
    {"type": "LIF", "tau_mem": 1e-300, "threshold": 1e308, "refractory": 1e300},
    {"entry_point": f"{TRAP}:Trap", "kwargs": {}, "name": "Trap"},
]
# Text that `json.dumps` doesn't write, in the place of a marker.
_RAW = {
    "@raw0@": "9" * 5000,
    "@raw1@": "1e999",
    "@raw2@": '{"a": 1, "a": 2}',
    "@raw3@": "[" * 3000,
    "@raw4@": "'text'",
    "@raw5@": "1,]",
    "@raw6@": '"\\ud800"',
    "@raw7@": "[" + "[]," * 2000 + "[]]",
}

HOSTILE: st.SearchStrategy[Any] = st.one_of(
    st.none() | st.booleans(),
    st.sampled_from(_NUMBERS),
    st.sampled_from(_REALS),
    st.sampled_from(_TEXTS),
    st.sampled_from(_SHAPES),
    st.integers(-20, 200),
    st.floats(-10, 10),
    st.text(max_size=5),
)
RAW = st.sampled_from(sorted(_RAW))


def paths_of(tree: Any, limit: int = 400) -> list[Path]:
    """Return the places of a tree of plain data, of long lists only some."""
    found: list[Path] = [()]
    waiting: list[tuple[Path, Any]] = [((), tree)]
    while waiting and len(found) < limit:
        path, node = waiting.pop(0)
        items: Sequence[tuple[Any, Any]] = ()
        if isinstance(node, dict):
            items = list(node.items())
        elif isinstance(node, list):
            items = [(k, node[k]) for k in sorted({0, 1, len(node) - 1}) if 0 <= k < len(node)]
        found += [(*path, key) for key, _ in items]
        waiting += [((*path, key), value) for key, value in items]
    return found


@st.composite
def changed_tree(draw: st.DrawFn, tree: Any, paths: Sequence[Path], raw: bool = False) -> Any:
    """Return *tree* with one to three changes. raw: also markers that `as_text` replaces."""
    changed = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths))
        how = draw(st.sampled_from(("set", "set", "set", "drop", "rename", "move", "wrap")))
        value = draw(HOSTILE | RAW if raw else HOSTILE)
        if not path:
            changed = value if how == "set" else changed
            continue
        parent = _at(changed, path[:-1])
        key = path[-1]
        if not (isinstance(parent, dict) and key in parent) and not (
            isinstance(parent, list) and isinstance(key, int) and key < len(parent)
        ):
            continue
        if how == "set":
            parent[key] = value
        elif how == "drop":
            del parent[key]
        elif how == "rename" and isinstance(parent, dict):
            parent[value if isinstance(value, str) else "other"] = parent.pop(key)
        elif how == "move":
            parent[key] = copy.deepcopy(_at(tree, draw(st.sampled_from(paths))))
        elif how == "wrap":
            parent[key] = [parent[key]] * draw(st.integers(1, 3))
    return changed


def as_text(tree: Any) -> bytes:
    """Return JSON, or almost, of a tree with markers."""
    text = json.dumps(tree)
    for marker, raw in _RAW.items():
        text = text.replace(f'"{marker}"', raw)
    return text.encode()


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Return *data* with bytes changed, left out, put in or cut off, or others altogether."""
    how = draw(
        st.sampled_from(("flip", "flip", "flip", "cut", "insert", "drop", "repeat", "other"))
    )
    place = draw(st.integers(0, max(0, len(data) - 1)))
    if how == "flip":
        changed = bytearray(data)
        for _ in range(draw(st.integers(1, 4))):
            if changed:
                changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
        return bytes(changed)
    if how == "cut":
        return data[:place]
    if how == "insert":
        return data[:place] + draw(st.binary(min_size=1, max_size=12)) + data[place:]
    if how == "drop":
        return data[:place] + data[place + draw(st.integers(1, 40)) :]
    if how == "repeat":
        return data[:place] + data[place : place + 200] * draw(st.integers(2, 5)) + data[place:]
    return draw(st.binary(max_size=300))


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        try:
            tree = tree[key]
        except (IndexError, KeyError, TypeError):
            return None
    return tree
