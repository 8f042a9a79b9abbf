"""Choose cells for observations of several whole numbers that take few values each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from neurorl.models.defaults.observations import seen_parts, selecting, whole_ends
from neurorl.models.features import Concat, Select, Tiles
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.tasks.kinds import Space

_MOST_CELLS = 4096
_HALF = 0.25
"""Begin tiles so far below a whole number, so that rounding can't move it to another tile."""


def pair_cells(space: Space, shown: Callable[[], FloatArray | None]) -> Select | None:
    """Return a cell for each combination of each two numbers that varied.

    A board, or a row of flags, has too many states for a table of its own, but two numbers together
    tell much. None if a part of the space isn't whole numbers, or if there may be too many cells.
    shown: returns the observations of the first play, ``(n, d)``, asked only if there aren't.
    """
    known = _few_ends(space)
    rows = None if known is None else shown()
    if known is None or rows is None or rows.shape[1] != len(known[0]):
        return None
    return _select(space, *known, rows.max(axis=0) > rows.min(axis=0), (2,))


def number_cells(space: Space) -> Select | None:
    """Return a cell for each value of each whole number, and for each combination of each two.

    Numbers of one value have none. None for a single number, or if there may be too many cells.
    """
    known = _few_ends(space)
    return None if known is None else _select(space, *known, known[1] > 1.0, (1, 2))


def are_whole(space: Space) -> bool:
    """Return whether all parts of a space are whole numbers that take a few values each."""
    return _ends(space) is not None


def _few_ends(space: Space) -> tuple[FloatArray, FloatArray] | None:
    """Return `_ends`; None also if all pairs of numbers may have too many cells."""
    known = _ends(space)
    if known is None:
        return None
    n_cells = sum(max(pair) ** 2 for pair in itertools.combinations(known[1], 2))
    return known if n_cells <= _MOST_CELLS else None


def _select(
    space: Space, first: FloatArray, counts: FloatArray, varies: BoolArray, together: Sequence[int]
) -> Select | None:
    """Return cells of so many numbers *together*, of all that vary; None if fewer than two do."""
    places = np.flatnonzero(varies).tolist()
    if len(places) < 2:
        return None
    groups = [list(of) for n in together for of in itertools.combinations(places, n)]
    tiles = Concat(tuple(_exact(first[group], int(counts[group].max())) for group in groups))
    return selecting(tiles, tuple(itertools.chain(*groups)), len(first), seen_parts(space))


def _ends(space: Space) -> tuple[FloatArray, FloatArray] | None:
    """Return the first value of each number and how many it takes; None if some aren't whole."""
    parts = seen_parts(space).values() or [space]
    known = [pair for pair in map(whole_ends, parts) if pair is not None]
    if len(known) < len(parts):
        return None
    first, counts = (np.concatenate([pair[side] for pair in known]) for side in (0, 1))
    return first, counts


def _exact(first: FloatArray, count: int) -> Tiles:
    """Return a tile for each combination of so many values of some numbers."""
    low = first - _HALF
    return Tiles(low, low + count - 1.0, 1, count - 1)
