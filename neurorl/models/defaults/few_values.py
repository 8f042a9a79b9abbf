"""Choose cells for observations of several whole numbers that take few values each."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from neurorl.models.defaults.observations import seen_parts, whole_ends
from neurorl.models.features import Concat, Select, SelectParts, Tiles
from neurorl.numerics.arrays import FloatArray
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
    known = _ends(space)
    if known is None:
        return None
    parts, (first, counts) = seen_parts(space), known
    if sum(max(pair) ** 2 for pair in itertools.combinations(counts, 2)) > _MOST_CELLS:
        return None
    rows = shown()
    if rows is None or rows.shape[1] != len(first):
        return None
    places = np.flatnonzero(rows.max(axis=0) > rows.min(axis=0)).tolist()
    if len(places) < 2:
        return None
    pairs = [list(pair) for pair in itertools.combinations(places, 2)]
    tiles = Concat(tuple(_exact(first[pair], int(counts[pair].max())) for pair in pairs))
    chosen = tuple(place for pair in pairs for place in pair)
    if parts:
        return SelectParts(tiles, chosen, len(first), tuple(parts))
    return Select(tiles, chosen, len(first))


def _ends(space: Space) -> tuple[FloatArray, FloatArray] | None:
    """Return the first value of each number and how many it takes; None if some aren't whole."""
    parts = seen_parts(space).values() or [space]
    known = [pair for pair in map(whole_ends, parts) if pair is not None]
    if len(known) < len(parts):
        return None
    first, counts = (np.concatenate([pair[side] for pair in known]) for side in (0, 1))
    return first, counts


def _exact(first: FloatArray, count: int) -> Tiles:
    """Return a tile for each combination of so many values of two numbers."""
    low = first - _HALF
    return Tiles(low, low + count - 1.0, 1, count - 1)
