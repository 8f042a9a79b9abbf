"""Compare the structures and choices of ``src/`` with what Python takes them for.

A library tells both in the text of its function ``neurorl_layout``, a line for each: structures
with the offset and size of every field, choices with their names in the order of their numbers.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence

from neurorl.errors import BackendError

__all__ = ["Codes", "check_choice", "check_structures", "codes", "describe"]

Codes = Mapping[str, int]
"""Map each name of a choice to its number in C++, such as ``{"softmax": 0, ...}``."""


def describe(structure: type[ctypes.Structure]) -> str:
    """Return the line by which C++ describes a structure, as ctypes lays it out."""
    fields = [getattr(structure, str(field[0])) for field in structure._fields_]
    names = [str(field[0]) for field in structure._fields_]
    parts = [f"{name}:{f.offset}:{f.size}" for name, f in zip(names, fields, strict=True)]
    name = structure.__name__.lstrip("_")
    return " ".join(["structure", name, str(ctypes.sizeof(structure)), *parts])


def check_structures(
    library: ctypes.CDLL, structures: Iterable[type[ctypes.Structure]], where: str
) -> None:
    """Compare *structures* with those that *library* was compiled from.

    where: names the library in the error.
    Raises BackendError, with the first field that differs, or the structure that is missing.
    """
    lines = _lines(library)
    compiled = {line[1]: line for line in lines if line[0] == "structure"}
    for structure in structures:
        expected = describe(structure).split()
        name = expected[1]
        if compiled.get(name) != expected:
            pairs = zip(compiled.get(name, ["nothing"]), expected, strict=False)
            differing = next((pair for pair in pairs if pair[0] != pair[1]), ("fewer", "more"))
            raise _differs(f"{where}, structure {name}", "lay it out", *differing)


def check_choice(library: ctypes.CDLL, choice: str, names: Sequence[str], where: str) -> None:
    """Compare the *names* of a choice, in order, with those that *library* was compiled from.

    Raises BackendError if they differ.
    """
    compiled = list(codes(library, choice))
    if compiled != list(names):
        raise _differs(f"{where}, choice {choice}", "order it", *map(" ".join, (compiled, names)))


def _differs(where: str, what: str, compiled: str, expected: str) -> BackendError:
    """Return the error for C++ and Python that don't mean the same."""
    return BackendError(
        where,
        f"C++ and Python {what} differently",
        got=f"{compiled} in C++",
        limit=f"{expected} in Python",
        remedy="install neurorl again",
    )


def codes(library: ctypes.CDLL, choice: str) -> Codes:
    """Return the numbers of a choice, such as ``"policy"``, by the names that users write.

    Raises KeyError for a choice that C++ doesn't have.
    """
    choices = {line[1]: line[2:] for line in _lines(library) if line[0] == "choice"}
    return {name.lower().replace("_", "-"): number for number, name in enumerate(choices[choice])}


def _lines(library: ctypes.CDLL) -> list[list[str]]:
    function = library.neurorl_layout
    function.restype = ctypes.c_char_p
    return [line.split() for line in function().decode().splitlines()]
