"""Read the structures of C++ from the headers that declare them, for ctypes."""

from __future__ import annotations

import ctypes
import functools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from neurorl.native import SOURCES
from neurorl.numerics.arrays import Array

_T = TypeVar("_T", bound=ctypes.Structure)
Fields = list[tuple[str, Any]]
AGENT = SOURCES / "agent.h"
"""Name the header that declares what the learning loop works on."""

_SIMPLE = {"int64_t": ctypes.c_int64, "double": ctypes.c_double, "float": ctypes.c_float}
_POINTED = {np.bool_: "uint8_t", np.uint8: "uint8_t", np.int16: "int16_t"}
_POINTED |= {np.int32: "int32_t", np.int64: "int64_t", np.float64: "double", np.float32: "float"}


def fields(header: Path, name: str, *known: type[ctypes.Structure]) -> Fields:
    """Return the fields of a structure in order, before its functions; pointers are addresses.

    known: the structures that it holds.
    """
    kinds: dict[str, Any] = _SIMPLE | {structure.__name__: structure for structure in known}
    declared = _declared(header, name)
    return [(x, ctypes.c_void_p if points else kinds[kind]) for x, kind, points in declared]


def _declared(header: Path, name: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the name of each field, what it is or points to, and whether it is a pointer."""
    for line in _body(header, "struct", name).split(";"):
        kind, _, names = line.strip().removeprefix("const ").partition(" ")
        if called := re.search(r"\(\*(\w+)\)", line):  # a pointer to a function
            yield called[1], kind, True
        elif "(" in line:
            break
        else:
            for place in filter(str.strip, names.split(",")):
                yield place.rpartition("*")[2].strip(), kind, "*" in place


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


class Struct(ctypes.Structure):
    """Hold numbers for C++, and keep what its pointers point to, whose addresses they are.

    An array has numbers of the kind that the header says; a list of structures lies in a row.
    """

    pointers: ClassVar[dict[str, str]]

    def __init__(self, **values: object) -> None:
        self.kept = {name: row(x) if isinstance(x, list) else x for name, x in values.items()}
        super().__init__(**{name: self._placed(name, x) for name, x in self.kept.items()})

    def _placed(self, name: str, value: object) -> object:
        """Return a field's value, or the address of what it points to."""
        if isinstance(value, np.ndarray):
            assert _POINTED[value.dtype.type] == self.pointers[name], f"{name}: another in C++"
            return pointer(value)
        is_held = isinstance(value, (ctypes.Structure, ctypes.Array)) and name in self.pointers
        return ctypes.addressof(value) if is_held else value  # type: ignore[arg-type]


def row(made: Sequence[Struct]) -> Any:
    """Return structures of one kind side by side, and keep what they point to."""
    array: Any = (type(made[0]) * len(made))(*made)
    array.kept = made
    return array


ALL: list[type[Struct]] = []
"""List every structure; compiling compares what was read of them with C++."""


def structure(header: str, name: str, *known: type[Struct]) -> type[Struct]:
    """Return what a header of ``src/`` declares."""
    path = SOURCES / header
    pointers = {x: kind for x, kind, points in _declared(path, name) if points}
    own = {"_fields_": fields(path, name, *known), "pointers": pointers}
    made: type[Struct] = type(name, (Struct,), own)
    ALL.append(made)
    return made


def _part(header: str, name: str) -> type[Struct]:
    """Return what a header declares of a part, with numbers of kernels, for `filled`."""
    made: Any = structure(header, name)
    made.kernels = choices(SOURCES / header, f"{name}Kernel")
    return made  # type: ignore[no-any-return]


_PARTS = {
    **dict.fromkeys(("Encoder", "Policy"), "decision.h"),
    **dict.fromkeys(("Critic", "Modulator"), "critic.h"),
    "Writes": "writes.h",
}
PARTS = {name.lower(): _part(header, name) for name, header in _PARTS.items()}
"""Map each kind of an agent's parts that C++ knows, such as ``policy``, to its structure."""
_OF_TRUNK = {"normalisation": "Normalisation", "step_size": "StepSize"}
_OF_TRUNK["observations"] = "Observations"
TRUNK_PARTS = {kind: _part("deep.h", name) for kind, name in _OF_TRUNK.items()}
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


def filled(kind: type[_T], part: object) -> _T:
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
