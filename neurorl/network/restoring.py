"""Check the arrays of a checkpoint against those that an agent expects.

A checkpoint with a correct digest may still belong to another agent, or be made to do harm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurorl.errors import RunError
from neurorl.network.serialization import LARGEST
from neurorl.numerics.arrays import Array

__all__ = ["MOST_STEPS", "take", "take_count", "take_counts", "take_shown"]

MOST_STEPS = 2**48
"""Limit the steps, decisions or episodes that a state counts: thousands of years, far from
overflow."""

_MOST_SHOWN = float(np.finfo(np.float64).max)
_KINDS = {"float": "f", "whole": "iu", "bool": "b"}


def take(
    state: Mapping[str, Array],
    name: str,
    shape: tuple[int | None, ...],
    kind: str = "float",
    low: float = -LARGEST,
    high: float = LARGEST,
    *,
    may_be_nan: bool = False,
) -> Array:
    """Return the array of this name.

    shape: the expected shape, None where any length will do. kind: ``'float'``, ``'whole'`` or
    ``'bool'``. low, high: limits of all its numbers, which must be finite; may_be_nan: allows NaN.
    Raises RunError if it is missing or differs.
    """
    if name not in state:
        raise RunError(name, "is missing")
    array = state[name]
    if array.dtype.kind not in _KINDS[kind]:
        raise RunError(name, "of another kind", got=array.dtype, limit=kind)
    if len(shape) != array.ndim or any(
        n not in (None, length) for n, length in zip(shape, array.shape, strict=True)
    ):
        axes = tuple("any" if n is None else n for n in shape)
        raise RunError(name, "another shape", got=array.shape, limit=axes)
    numbers = array[~np.isnan(array)] if may_be_nan else array
    if kind != "bool" and numbers.size and not (numbers.min() >= low and numbers.max() <= high):
        limit = f"{low:g} to {high:g}"
        raise RunError(name, "out of range, or not a number", limit=limit)
    return array


def take_shown(state: Mapping[str, Array], name: str, shape: tuple[int | None, ...]) -> Array:
    """Return numbers that an environment showed, as `take` does; any finite ones are allowed."""
    return take(state, name, shape, low=-_MOST_SHOWN, high=_MOST_SHOWN)


def take_count(state: Mapping[str, Array], name: str, most: int = MOST_STEPS) -> int:
    """Return the one whole number of this name, 0 to *most*. Raises RunError."""
    return int(take(state, name, (), "whole", 0, most))


def take_counts(
    state: Mapping[str, Array], name: str, n: int | None, least: int = 0
) -> npt.NDArray[np.int64]:
    """Return the *n* whole numbers of this name, which may be held as floats. Raises RunError."""
    array = state.get(name, np.zeros(0))
    kind = "float" if array.dtype.kind == "f" else "whole"
    counts = take(state, name, (n,), kind, least, MOST_STEPS)
    if (counts != np.floor(counts)).any():
        raise RunError(name, "not whole numbers")
    return counts.astype(np.int64)
