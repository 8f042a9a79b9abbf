"""Find objects that users choose by name: a plain name, or one in an imported module."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TypeVar

from neurorl.errors import ArgumentError, UnknownNameError, unknown_name_error

T = TypeVar("T")


def find_name(kind: str, name: object, known: Mapping[str, object]) -> object:
    """Return the object of a plain name in *known*, or of ``module:attribute``; None if absent.

    Nothing is imported. Raises UnknownNameError for a name that isn't known, or for one in a module
    that isn't imported, and says what to import.
    """
    if not isinstance(name, str):
        raise unknown_name_error(kind, name, known)
    if name in known:
        return known[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise unknown_name_error(kind, name, known)
    if module not in sys.modules:
        what = f"module {module!r} is not imported"
        raise UnknownNameError(f"{kind} {name!r}", what, remedy=f"import {module} first")
    return getattr(sys.modules[module], attribute, None)


def add_name(kind: str, name: str, value: T, known: dict[str, T]) -> None:
    """Put *value* into *known*.

    Raises ArgumentError for a name that is taken, or has a colon, as names in modules have.
    """
    if not name or ":" in name:
        raise ArgumentError(f"register_{kind}", f"not a name for a {kind}", got=repr(name))
    if known.get(name, value) is not value:
        what, remedy = f"the name {name!r} is taken", "choose another name"
        raise ArgumentError(f"register_{kind}", what, remedy=remedy)
    known[name] = value
