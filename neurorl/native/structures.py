"""Read the structures of C++ from the headers that declare them, for ctypes."""

from __future__ import annotations

import ctypes
import functools
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neurorl.native import SOURCES
from neurorl.numerics.arrays import Array

Fields = list[tuple[str, Any]]
AGENT = SOURCES / "agent.h"
"""Name the header that declares what the learning loop works on."""

_SIMPLE = {"int64_t": ctypes.c_int64, "double": ctypes.c_double, "float": ctypes.c_float}


def fields(header: Path, name: str, *known: type[ctypes.Structure]) -> Fields:
    """Return the fields of a structure in order, before its functions; pointers are addresses.

    known: the structures that it holds.
    """
    kinds: dict[str, Any] = _SIMPLE | {structure.__name__: structure for structure in known}
    found = []
    for line in _body(header, "struct", name).split(";"):
        kind, _, names = line.strip().removeprefix("const ").partition(" ")
        if called := re.search(r"\(\*(\w+)\)", line):  # a pointer to a function
            found.append((called[1], ctypes.c_void_p))
        elif "(" in line:
            break
        else:
            found += [_field(kinds.get(kind), place) for place in names.split(",") if place.strip()]
    return found


def _field(kind: Any, place: str) -> tuple[str, Any]:
    """Return a field of a kind, of which a *place* like ``x``, ``*x`` or ``x[3]`` is declared."""
    name, _, size = place.strip(" ]").partition("[")
    if "*" in name:
        return name.rpartition("*")[2].strip(), ctypes.c_void_p
    return name, kind * int(size) if size else kind


@functools.cache
def choices(header: Path, name: str) -> dict[str, int]:
    """Return the numbers of an enumeration by the names that users write, as in ``one-hot``."""
    names = _body(header, "enum", name).split(",")
    return {one.strip().lower().replace("_", "-"): number for number, one in enumerate(names)}


def _body(header: Path, what: str, name: str) -> str:
    """Return what is between the braces of a declaration, without comments."""
    found = re.search(rf"\b{what} {name}\s*\{{(.*?)\s*\}};", _code(header), re.DOTALL)
    assert found is not None, f"{header} declares no {what} {name}"
    return found[1]


@functools.cache
def _code(header: Path) -> str:
    return re.sub(r"//.*", "", header.read_text("utf-8"))


def structure(header: str, name: str, *known: type[ctypes.Structure]) -> type[ctypes.Structure]:
    """Return what a header of ``src/`` declares; with numbers of kernels, for `filled`."""
    path, made = SOURCES / header, (ctypes.Structure,)
    kernels = choices(path, f"{name}Kernel") if name in _PARTS else {}
    return type(name, made, {"_fields_": fields(path, name, *known), "kernels": kernels})


_PARTS = {
    **dict.fromkeys(("Encoder", "Policy"), "decision.h"),
    **dict.fromkeys(("Critic", "Modulator"), "critic.h"),
    "Writes": "writes.h",
    **dict.fromkeys(("Normalisation", "StepSize", "Observations"), "deep.h"),
}
_ALL_PARTS = {name: structure(header, name) for name, header in _PARTS.items()}
_OF_TRUNK = ("Normalisation", "StepSize", "Observations")
PARTS = {name.lower(): kind for name, kind in _ALL_PARTS.items() if name not in _OF_TRUNK}
"""Map each kind of an agent's parts that C++ knows, such as ``policy``, to its structure."""
TRUNK_PARTS = {
    name: _ALL_PARTS[kind]
    for name, kind in zip(("normalisation", "step_size", "observations"), _OF_TRUNK, strict=True)
}
"""Map each part of a shared trunk that C++ knows to its structure."""

Part = structure("agent.h", "Part")
Features = structure("agent.h", "Features")
Node = structure("agent.h", "Node")
Projection = structure("agent.h", "Projection")
Layer = structure("agent.h", "Layer")
Agent = structure("agent.h", "Agent", Features)


Equations = structure("agent.h", "Equations")
DeepSynapses = structure("deep.h", "DeepSynapses")
DeepPatches = structure("deep.h", "DeepPatches")
DeepLayer = structure("deep.h", "DeepLayer", DeepSynapses)
Half = structure("deep.h", "Half")
Deep = structure("deep.h", "Deep")

ALL: tuple[type[ctypes.Structure], ...] = tuple(
    made
    for made in (*globals().values(), *_ALL_PARTS.values())
    if isinstance(made, type) and issubclass(made, ctypes.Structure)
)
"""List every structure; compiling compares what was read of them with C++."""


def filled(kind: type[ctypes.Structure], part: object) -> ctypes.Structure:
    """Return the structure of an agent's part, by the fields of its class; see ``src/agent.h``.

    Raises KeyError for a kernel that C++ doesn't have.
    """
    numbers = {str(name): getattr(part, str(name), 0) for name, *_ in kind._fields_}
    numbers["kernel"] = kernels_of(kind)[str(numbers["kernel"])]
    return kind(**{name: math.inf if x is None else x for name, x in numbers.items()})


def kernels_of(kind: type[ctypes.Structure]) -> dict[str, int]:
    """Return the numbers of the kernels of a kind of part, by their names."""
    return dict(vars(kind)["kernels"])


def asserted(structures: Iterable[type[ctypes.Structure]]) -> str:
    """Return C++ that compiles only if its structures lie as those of ctypes, field by field."""
    facts = []
    for structure in structures:
        name = structure.__name__
        facts.append((f"sizeof({name})", str(ctypes.sizeof(structure))))
        for field in (str(field[0]) for field in structure._fields_):
            place = getattr(structure, field)
            facts.append((f"offsetof({name}, {field})", str(place.offset)))
            facts.append((f"sizeof({name}::{field})", str(place.size)))
    checks = (f'static_assert({of} == {is_}, "{of}: not {is_}");' for of, is_ in facts)
    return "\n".join(["#include <cstddef>", *checks, ""])


def pointer(array: Array | None) -> int | None:
    """Return the address of an array's memory; the array must outlive the use of it."""
    if array is None or array.size == 0:
        return None
    if not array.flags.c_contiguous:
        raise AssertionError("C reads arrays in C order")
    return int(array.__array_interface__["data"][0])
