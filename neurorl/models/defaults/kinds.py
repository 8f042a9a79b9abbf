"""Count rows by their kinds: numbers that say which rows are alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import BoolArray, FloatArray

Kinds = npt.NDArray[np.intp]
"""Number the kind of each row, ``(n,)``."""

BLOCK = 25
"""Fit every second block of so many rows and predict the others, then the reverse."""
_MOST_FEW, _MOST_COUNTED, _MOST_NUMBERS = 16, 2**15, 11
"""Take so many values for few, of so many numbers at most; count so many kinds without a list."""
_PRIOR = 1.0
"""Count so many rows of what is known of a coarser kind, beside those of a kind."""


def halves(n: int) -> BoolArray:
    """Return which of *n* rows are in every second block."""
    return np.asarray(np.arange(n) // BLOCK % 2 == 0)


def kinds_of(*numbers: FloatArray | Kinds) -> Kinds:
    """Return a number for each different row of all *numbers* together, ``(n,)``."""
    rows = np.concatenate(numbers, axis=1) + 0.0  # + 0.0 turns -0.0, which has other bits, into 0.0
    n, d = rows.shape
    if not d:
        return np.zeros(n, dtype=np.intp)
    if d == 1:
        return np.asarray(np.unique(rows[:, 0], return_inverse=True)[1])
    known: dict[bytes, int] = {}
    of_bytes = np.ascontiguousarray(rows).view(np.dtype((np.void, d * rows.itemsize)))
    numbered = [known.setdefault(row, len(known)) for row in of_bytes[:, 0].tolist()]
    return np.array(numbered, dtype=np.intp)


def few_of(numbers: FloatArray) -> dict[int, Kinds]:
    """Return the kinds of each number that takes a few values; none if there are too many."""
    counted = [np.unique(column, return_inverse=True) for column in numbers.T]
    few = {j: of for j, (values, of) in enumerate(counted) if 1 < len(values) <= _MOST_FEW}
    return few if len(few) <= _MOST_NUMBERS else {}


def both(one: Kinds, other: Kinds) -> Kinds:
    """Return a number for each pair of kinds, ``(n,)``, a small one."""
    pairs = one * (other.max() + 1) + other
    is_small = pairs.max() < _MOST_COUNTED
    return np.asarray(pairs if is_small else np.unique(pairs, return_inverse=True)[1])


def left_by(kinds: Kinds, coarser: Kinds, y: FloatArray) -> FloatArray:
    """Return squared errors of the means of kinds, drawn to those of coarser ones, ``(n,)``."""
    half = halves(len(kinds)).astype(np.intp)
    known: FloatArray = np.zeros(len(kinds))
    for codes in (coarser, kinds):
        own, other = 2 * codes + half, 2 * codes + 1 - half  # each half is told by the other
        n = 2 * codes.max() + 2
        sums, counts = np.bincount(own, y, n), np.bincount(own, minlength=n)
        known = (sums[other] + _PRIOR * known) / (counts[other] + _PRIOR)
    return np.asarray((y - known) ** 2)
