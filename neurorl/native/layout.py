"""Let C++ and Python mean the same by a structure and by the name of a choice."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Codes", "asserted", "codes"]

Codes = Mapping[str, int]
"""Map each name of a choice to its number in C++, such as ``{"softmax": 0, ...}``."""


def asserted(structures: Iterable[type[ctypes.Structure]], choice: Sequence[str] = ()) -> str:
    """Return C++ that compiles only if its structures lie as those of ctypes, field by field.

    choice: names in the order of an enumeration of C++.
    """
    facts = [(name.upper(), str(number)) for number, name in enumerate(choice)]
    for structure in structures:
        name = structure.__name__
        facts.append((f"sizeof({name})", str(ctypes.sizeof(structure))))
        for field in (str(field[0]) for field in structure._fields_):
            place = getattr(structure, field)
            facts.append((f"offsetof({name}, {field})", str(place.offset)))
            facts.append((f"sizeof({name}::{field})", str(place.size)))
    checks = (f'static_assert({of} == {is_}, "{of}: not {is_}");' for of, is_ in facts)
    return "\n".join(["#include <cstddef>", *checks, ""])


def codes(library: ctypes.CDLL, choice: str) -> Codes:
    """Return the numbers of a choice, such as ``"policy"``, by the names that users write.

    Raises KeyError for a choice that C++ doesn't have.
    """
    library.neurorl_choices.restype = ctypes.c_char_p
    lines = (line.split() for line in library.neurorl_choices().decode().splitlines())
    names = {first: rest for first, *rest in lines}[choice]
    return {name.lower().replace("_", "-"): number for number, name in enumerate(names)}
