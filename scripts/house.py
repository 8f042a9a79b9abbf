"""Measure the house: lines, rooms, floors, circles, `Any`, and names with two meanings.

    python scripts/house.py [--json]

A room is a package or a module right below `neurorl`, and each simulator's package below
`neurorl.backends`; a floor is how many rooms stand on top of each other. The core is what
`neurorl train` on native imports; the other rooms are leaves, which the core finds by their names.
tests/project/test_house.py bounds all of these.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGINES = ("neurorl/program", "neurorl/backends/native", "neurorl/backends/reference")
"""Name the folders of the program and of the executors that every user has."""

_LEAF = "neurorl/backends/torch"
_SIMULATORS = ("brian2", "loihi", "torch", "xylo")
_DOORS = ("neurorl", "__main__")
"""Name the rooms that only name what users import, or start the command line."""

_CODE = (".py", ".cpp", ".h")
_TRAIN = (
    "import sys; from neurorl import SpikingActorCritic; "
    "SpikingActorCritic('CartPole-v1', seed=1, backend='native').learn(total_steps=2); "
    "import neurorl.cli.train, neurorl.runs.training; "
    "print(*(m for m in sys.modules if m.split('.')[0] == 'neurorl'))"
)


def files() -> list[Path]:
    """Return the installed files of code, as paths below the root."""
    return sorted(p.relative_to(ROOT) for p in (ROOT / "neurorl").rglob("*") if p.suffix in _CODE)


@functools.cache
def nodes_in(path: Path) -> list[ast.AST]:
    """Return all nodes of a Python file, its module first."""
    return [*ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))]


def n_lines(path: Path) -> int:
    """Return the number of lines of a file."""
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def module_of(path: Path) -> str:
    """Return the dotted name of a Python file."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def rooms(*, by_name: bool = False) -> dict[str, set[str]]:
    """Return each room with the rooms that it imports, late imports included.

    by_name: whether modules count, too, that are imported by a name in quotes.
    """
    modules = {module_of(path): path for path in files() if path.suffix == ".py"}
    arrows: dict[str, set[str]] = {_room(module): set() for module in modules}
    for module, path in modules.items():
        for name in (*_imports(path), *(_imports_by_name(path) if by_name else ())):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if name and _room(name) != _room(module):
                arrows[_room(module)].add(_room(name))
    return arrows


def _room(module: str) -> str:
    _, *below = module.split(".")
    if below[:1] == ["backends"] and below[1:2] and below[1] in _SIMULATORS:
        return ".".join(below[:2])
    return below[0] if below else "neurorl"


def _imports(path: Path) -> Iterator[str]:
    for node in nodes_in(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _imports_by_name(path: Path) -> Iterator[str]:
    """Yield the modules that are imported by a name in quotes."""
    for node in nodes_in(path):
        match node:
            case ast.Call(ast.Attribute(attr="import_module"), [ast.Constant(str(name))]):
                yield name


def floors(arrows: dict[str, set[str]]) -> tuple[dict[str, int], list[str]]:
    """Return the floor of each room, from 1, and the rooms that stand in a circle."""
    heights: dict[str, int] = {}
    left = dict(arrows)
    while left:
        ready = [room for room, below in left.items() if below <= heights.keys()]
        if not ready:
            return heights, sorted(left)
        for room in ready:
            heights[room] = 1 + max((heights[below] for below in left[room]), default=0)
            del left[room]
    return heights, []


def homonyms() -> dict[str, list[str]]:
    """Return the classes of one name in several modules."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in files():
        if path.suffix == ".py":
            module = nodes_in(path)[0]
            for node in module.body if isinstance(module, ast.Module) else ():
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(module_of(path))
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}


def n_any() -> int:
    """Return how often the name `Any` stands in the installed code."""
    nodes = (node for path in files() if path.suffix == ".py" for node in nodes_in(path))
    return sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)


@functools.cache
def core() -> list[Path]:
    """Return the files that training on native needs, with the C++ beside them."""
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    own = [path for path in files() if path.suffix == ".py" and module_of(path) in loaded]
    sources = [p for p in files() if p.suffix != ".py" and not p.as_posix().startswith(_LEAF)]
    return [*own, *sources]


def core_rooms(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the rooms of the core with all rooms that they import; `_DOORS` are left out."""
    names = {_room(module_of(path)) for path in core() if path.suffix == ".py"} - {*_DOORS}
    return {name: arrows[name] for name in sorted(names)}


def measure() -> dict[str, object]:
    """Return all figures by name."""
    arrows = rooms()
    (heights, _), (_, circle) = floors(arrows), floors(rooms(by_name=True))
    inner = core_rooms(arrows)
    core_heights, _ = floors({room: below & inner.keys() for room, below in inner.items()})
    lines = {path: n_lines(path) for path in files()}
    by_room = Counter[str]()
    for path, n in lines.items():
        by_room[_room(module_of(path))] += n
    engines = sum(n for path, n in lines.items() if path.as_posix().startswith(ENGINES))
    return {
        "installed lines": sum(lines.values()),
        "core lines": sum(lines[path] for path in core()),
        "program and executors": engines,
        "core rooms": len(inner),
        "core floors": max(core_heights.values()),
        "leaves that the core imports": sorted({x for b in inner.values() for x in b} - {*inner}),
        "rooms": len(arrows),
        "floors": max(heights.values()),
        "circles": circle,
        "Any": n_any(),
        "homonyms": homonyms(),
        "lines of rooms": dict(by_room.most_common()),
    }


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    figures = measure()
    if parser.parse_args().json:
        print(json.dumps(figures))
        return 0
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{name}: {len(value)}")
            for key, of_key in value.items():
                print(f"  {key}: {of_key if isinstance(of_key, int) else ', '.join(of_key)}")
        else:
            print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
