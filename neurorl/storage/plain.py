"""Turn what a caller gives into plain numbers and arrays, and compare it with declared types."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, DescriptionError, NeurorlError, quoted

PlainData = dict[str, Any]
"""Represent values by name, such as what JSON holds."""

Named = Mapping[str, Any]
"""Represent values by name that are only read, such as options, or fields of a description."""

DTYPES = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)
) - {"float8"} | {"bool"}

_MADE_OF: dict[str, set[type]] = {
    "bool": {bool},
    "int": {int},
    "uint": {int},
    "float": {int, float},
}
_PYTHONS: Mapping[str, type] = {"b": bool, "i": int, "u": int, "f": float, "U": str}
_MASKED = (np.ma.MaskedArray, type(np.ma.masked))
_WHOLE = (int, np.integer)
_REAL = (int, float, np.integer, np.floating)


def plain(where: str, value: Any) -> Any:
    """Return *value* with Python's own numbers in place of NumPy's, exactly; in tuples, too.

    An array of one number without an axis is that number. Raises DescriptionError for what is
    complex, masked, or a time.
    """
    if isinstance(value, np.generic) or type(value) in (np.ndarray, *_MASKED):
        _check_real(where, value)
        kind = _PYTHONS.get(value.dtype.kind) if value.ndim == 0 else None
        return value if kind is None else kind(value)
    if isinstance(value, complex):
        raise DescriptionError(where, "complex, not a real number", got=quoted(value))
    if type(value) is tuple:
        parts = tuple(plain(where, part) for part in value)
        is_same = all(one is other for one, other in zip(parts, value, strict=True))
        return value if is_same else parts
    return value


def check_count(where: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return *value* as an int of *least* to *most*; None is no limit. Raises ArgumentError."""
    value = plain(where, value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    too_many = whole and most is not None and value > most  # type: ignore[operator]
    if not whole or too_many or value < least:  # type: ignore[operator]
        what = "must be a whole number"
        limit = f">= {least}" if most is None else f"{least} to {most:,}"
        raise ArgumentError(where, what, got=quoted(value), limit=limit)
    return int(value)  # type: ignore[call-overload, no-any-return]


def real_array(
    where: str, value: npt.ArrayLike, error: type[NeurorlError] = DescriptionError
) -> npt.NDArray[np.float64]:
    """Return *value* as a new array of float64, which may have NaN. Raises *error* otherwise."""
    try:
        array = np.asanyarray(value)
        _check_real(where, array, error)
        is_text = array.dtype.kind in "SU" or (array.ndim == 0 and array.dtype.kind == "b")
        objects = array.ravel().tolist() if array.dtype.kind == "O" else ()
        if is_text or not all(fits(each, float) for each in objects):
            raise TypeError
        return np.array(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as exc:
        if isinstance(exc, NeurorlError):
            raise
        raise error(where, "not an array of numbers", got=quoted(value)) from exc


def _check_real(
    where: str, value: np.generic | npt.NDArray[Any], error: type[NeurorlError] = DescriptionError
) -> None:
    """Raise *error* for NumPy's values that would lose something as real numbers."""
    if isinstance(value, _MASKED):
        remedy = "its values alone, as filled() gives them"
        raise error(where, "a masked array", got=quoted(value), remedy=remedy)
    if value.dtype.kind in "cmMV":
        raise error(where, "not real numbers", got=str(value.dtype), limit="bool, int or float")


def array_from(data: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return the array of ``{"array": nested lists, "dtype": one of DTYPES, "shape": [...]}``.

    It takes no more memory than the lists. Raises DescriptionError for anything else.
    """
    dtype, shape = data.get("dtype"), data.get("shape")
    is_whole = set(data) == {"array", "dtype", "shape"}
    if not (is_whole and isinstance(dtype, str) and dtype in DTYPES):
        raise DescriptionError("array", "not one of numbers", got=quoted(dtype))
    # As objects, as lists of texts would take the longest one's memory for each.
    items = np.array(data["array"], dtype=object)
    kinds = set(map(type, items.ravel().tolist()))
    if not isinstance(shape, (list, tuple)) or items.shape != tuple(shape):
        got, limit = quoted(shape), items.shape
        raise DescriptionError("array", "isn't of its own shape", got=got, limit=limit)
    if not kinds <= _MADE_OF[dtype.rstrip("0123456789")]:
        got = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DescriptionError("array", "of another type", got=got, limit=dtype)
    try:
        with np.errstate(over="ignore"):
            array = items.astype(dtype)
    except OverflowError as exc:
        raise DescriptionError("array", "has too large a number", limit=dtype) from exc
    if not (array == items).all() if array.dtype.kind in "iu" else not np.isfinite(array).all():
        raise DescriptionError("array", "has too large a number", limit=dtype)
    return array


def declared_types(cls: type, ranges: bool = False) -> Mapping[str, Any]:
    """Return the declared type of each field; none if one of them can't be looked up.

    ranges: whether with the ranges that ``Annotated`` adds to a type.
    """
    of: Any = cls
    return _hints(of, ranges)


@functools.cache
def _hints(cls: Any, ranges: bool) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=ranges)
    except NameError:  # imported for type checkers only
        return {}


def fits(value: Any, kind: Any) -> bool:
    """Return whether *value* is of a declared type; a kind that isn't known here takes anything.

    A whole number is a real one, a truth value is neither.
    """
    origin, members = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in members)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(members) == 2 and members[1] is Ellipsis:
            return all(fits(part, members[0]) for part in value)
        return len(value) == len(members) and all(map(fits, value, members))
    if kind is Any:
        return True
    if origin is dict:
        return isinstance(value, dict)
    if kind is int or kind is float:
        numbers = _WHOLE if kind is int else _REAL
        return isinstance(value, numbers) and not isinstance(value, bool)
    if isinstance(kind, type) and origin is None:
        return isinstance(value, kind)
    return True


def kind_name(kind: Any) -> str:
    """Return a declared type as a reader would write it."""
    if isinstance(kind, type) and typing.get_origin(kind) is None:
        return "None" if kind is type(None) else kind.__name__
    of = typing.get_args(kind)
    if typing.get_origin(kind) in (Union, types.UnionType):
        return " or ".join(kind_name(one) for one in of)
    if typing.get_origin(kind) is tuple and of:
        return f"list of {kind_name(of[0])}"
    return str(kind)
