"""Choose cells for observations of several whole numbers that take few values each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

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
    if known is None or not _are_few(known[1]):
        return None
    rows = shown()
    if rows is None or rows.shape[1] != len(known[0]):
        return None
    places = np.flatnonzero(rows.max(axis=0) > rows.min(axis=0)).tolist()
    pairs = list(itertools.combinations(places, 2))
    return _select(space, known, pairs) if pairs else None


def number_cells(space: Space) -> Select | None:
    """Return a cell for each value of each whole number, and for each combination of each two.

    Numbers of one value have none. None for a single number, or if there may be too many cells.
    """
    known = _ends(space)
    if known is None or not _are_few(known[1]):
        return None
    places = np.flatnonzero(known[1] > 1.0).tolist()
    pairs = list(itertools.combinations(places, 2))
    return _select(space, known, [*itertools.combinations(places, 1), *pairs]) if pairs else None


def are_whole(space: Space) -> bool:
    """Return whether all parts of a space are whole numbers that take a few values each."""
    return _ends(space) is not None


def _are_few(counts: FloatArray) -> bool:
    return bool(sum(max(pair) ** 2 for pair in itertools.combinations(counts, 2)) <= _MOST_CELLS)


def _select(
    space: Space, known: tuple[FloatArray, FloatArray], joined: Sequence[tuple[int, ...]]
) -> Select:
    """Return cells of the numbers at *joined* places, each of which are seen together."""
    parts, (first, counts), groups = seen_parts(space), known, [list(places) for places in joined]
    tiles = Concat(tuple(_exact(first[group], int(counts[group].max())) for group in groups))
    chosen = tuple(place for group in groups for place in group)
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
    """Return a tile for each combination of so many values of some numbers."""
    low = first - _HALF
    return Tiles(low, low + count - 1.0, 1, count - 1)
