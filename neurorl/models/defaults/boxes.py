"""Choose cells and features of a Box by its declared range and by what the first play showed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.models.defaults.observations import seen_parts, selecting
from neurorl.models.features import Concat, Features, Select, Tiles
from neurorl.models.features.base import PartKey
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.tasks.kinds import Space

_QUANTILES = (0.005, 0.995)
_USUAL = (0.05, 0.95)
_DIGITS = 4
_TILINGS, _MORE_TILINGS, _BINS, _FEW_BINS = 4, 8, 4, 3
_MOST_FINE, _MOST_BINS = 4, 9
"""Make more tilings for at most 4 numbers that vary, and fewer bins for more than 9: a core of
Loihi has 4,096 axons, so an actor can't have more cells."""
_MAX_DECLARED_PAIRS = 10
"""Limit the pairs whose tiles cover the seen and the declared range. Tiles of more pairs cover the
usual ranges only: a few outliers, as of a body that tumbles, would make them coarse.
"""
MOST_JOINT = 11
"""Make tiles of pairs of numbers only if at most this many vary."""
_MOST_CELLS = 4096
_ALONE = ((3, 4, 7), (2, 4, 3), (1, 2, 3))
"""Give each of more numbers tiles over so many ranges, with so many tilings and bins: the first of
these that makes at most `_MOST_CELLS` cells. Chosen on Acrobot-v1 and LunarLander-v3 with the
observation of the step before or eight random numbers added, seeds 100 and 101.
"""
_BEYOND = 1.0
"""Extend the seen range by so many times its width on both sides if no range is declared, so offset
and unit of a number make no difference."""
_OUTWARDS = np.array([[-1.0], [1.0]])

_CLOSER = 0.25
"""Look closer where rewards were better if that range is less than this share of the seen one."""

_HUGE = 1e37
"""Treat wider ranges as undeclared: Gymnasium used to write the largest float32 for infinity."""

Cover = tuple[FloatArray, Sequence[tuple[int, ...]]]
"""Hold lows and highs of all numbers, ``(2, n)``, and the groups of numbers with tiles there."""


@dataclass(frozen=True)
class BoxRanges:
    """Hold the ranges of a Box's numbers, flattened: lows and highs, ``(2, n)`` each.

    declared: wider than seen if an end is infinite. seen: quantiles 0.5 and 99.5 % of the first
    play. usual: quantiles 5 and 95 %. paid: quantiles 5 and 95 % of observations with the better
    half of rewards, if no range is declared and they are much narrower; else as seen.
    places: indices of numbers that vary. two_valued: which numbers took two values only, ``(n,)``.
    """

    declared: FloatArray
    seen: FloatArray
    usual: FloatArray
    paid: FloatArray
    places: tuple[int, ...]
    two_valued: BoolArray

    @classmethod
    def of(
        cls, space: gym.spaces.Box, rows: FloatArray, is_better: BoolArray | None = None
    ) -> BoxRanges:
        """Return the ranges of a space.

        rows: the observations of the first play, ``(n, d)``. is_better: the rows with the
        better rewards, ``(n,)``; see `FirstPlay.is_better`.

        Columns beyond the numbers of the space are memories, which have no declared range: they get
        twice the range that was seen.
        """
        declared = np.array([space.low.ravel(), space.high.ravel()], dtype=np.float64)
        ends, d = np.array([rows.min(axis=0), rows.max(axis=0)]), declared.shape[1]
        seen = np.quantile(rows, _QUANTILES, axis=0)
        seen = np.where(seen[0] == seen[1], ends, seen)  # both may be the same, of rare values
        usual = np.quantile(rows, _USUAL, axis=0)
        usual = np.where(usual[0] == usual[1], seen, usual)
        width, paid = seen[1] - seen[0], seen
        halves = declared / 2.0
        is_open = ~np.isfinite(declared).all(axis=0) | (halves[1] - halves[0] > _HUGE / 2.0)
        further = _OUTWARDS * width
        declared = np.where(is_open, short(seen + _BEYOND * further)[:, :d], declared)
        declared = np.concatenate([declared, short(seen + further / 2.0)[:, d:]], axis=1)
        if is_better is not None:
            is_guessed = np.append(is_open, np.zeros(len(width) - d, dtype=bool))
            paid = np.quantile(rows[is_better], _USUAL, axis=0)
            is_guessed &= (paid[1] > paid[0]) & (paid[1] - paid[0] < _CLOSER * width)
            paid = np.where(is_guessed, paid, seen)
        places = tuple(np.flatnonzero(ends[1] > ends[0]).tolist())
        is_between = (rows > ends[0]) & (rows < ends[1])
        ranges = declared, short(seen), short(usual), short(paid)
        return cls(*ranges, places, ~is_between.any(axis=0))


def short(numbers: npt.ArrayLike) -> FloatArray:
    """Round to a few digits, so that files are short and last bits make no difference."""
    exact = np.asarray(numbers)
    rounded = [float(f"{number:.{_DIGITS}g}") for number in exact.ravel().tolist()]
    return np.array(rounded).reshape(exact.shape)


def box_of(space: Space) -> gym.spaces.Box | None:
    """Return a Box of the numbers of a space, or of all parts of a Tuple or Dict, flattened.

    None if a part has more states than tiles distinguish.
    """
    ends: list[tuple[FloatArray, FloatArray]] = []
    for part in seen_parts(space).values() or [space]:
        if isinstance(part, gym.spaces.Box):
            ends.append((part.low.astype(np.float64), part.high.astype(np.float64)))
        elif isinstance(part, gym.spaces.MultiBinary):
            ends.append((np.zeros(part.shape), np.ones(part.shape)))
        elif isinstance(part, gym.spaces.MultiDiscrete):
            ends.append((part.start.astype(np.float64), part.start + part.nvec - 1.0))
        elif isinstance(part, gym.spaces.Discrete) and part.n <= _BINS * _MORE_TILINGS:
            first = float(part.start)
            ends.append((np.array(first), np.array(first + float(part.n) - 1.0)))
        else:
            return None
    low, high = (np.concatenate([np.ravel(pair[side]) for pair in ends]) for side in (0, 1))
    return gym.spaces.Box(low, high, dtype=np.float64)


def box_cells(
    ranges: BoxRanges, is_fine: bool = True, keys: Sequence[PartKey] = ()
) -> Features | None:
    """Return tiles of every pair of numbers that vary, over what was seen and what is declared.

    A much narrower range where rewards were better also gets tiles. Many pairs cover only the usual
    ranges, and single numbers the wider ones. Of more than `MOST_JOINT` numbers, flags have tiles
    of their own, and so have the others if they are as many. is_fine: whether a few numbers get
    more tilings. keys: keys of the parts of a Tuple or Dict that hold the numbers. Returns None if
    no number varies, or too many do.
    """
    if not ranges.places:
        return None
    places = ranges.places
    if len(places) > MOST_JOINT:
        places = tuple(place for place in places if not ranges.two_valued[place])
        if not 1 < len(places) <= MOST_JOINT:
            return _apart(ranges, keys)
    flags: list[tuple[int, ...]] = [(place,) for place in ranges.places if place not in places]
    pairs = list(itertools.combinations(places, min(2, len(places))))
    apart = [(place,) for place in places]
    covers: list[Cover] = [(ranges.seen, pairs + flags), (ranges.declared, pairs)]
    if len(pairs) > _MAX_DECLARED_PAIRS:
        covers = [(ranges.usual, pairs + flags), (ranges.seen, apart), (ranges.declared, apart)]
    else:
        is_closer = np.ptp(ranges.paid, axis=0) < np.ptp(ranges.seen, axis=0)
        closer = [pair for pair in pairs if is_closer[list(pair)].any()]
        covers.append((ranges.paid, closer))
    tilings = _MORE_TILINGS if is_fine and len(places) <= _MOST_FINE else _TILINGS
    bins = _BINS if len(places) <= _MOST_BINS else _FEW_BINS
    cells = _tiles(ranges, covers, tilings, bins, keys)
    return cells if not flags or cells.size <= _MOST_CELLS else _apart(ranges, keys)


def sees_apart(cells: Features) -> bool:
    """Return whether these tiles tell nothing of two numbers together."""
    of = cells.of if isinstance(cells, Select) else cells
    tiles = of.parts if isinstance(of, Concat) else (of,)
    return all(isinstance(one, Tiles) and len(one.low) == 1 for one in tiles)


def _apart(ranges: BoxRanges, keys: Sequence[PartKey]) -> Features | None:
    """Return tiles of every single number that varies, or None if there are too many numbers.

    None also if most of them are flags, whose combinations matter.
    """
    if 2 * int(ranges.two_valued[list(ranges.places)].sum()) > len(ranges.places):
        return None
    apart = [(place,) for place in ranges.places]
    covers = [(ends, apart) for ends in (ranges.seen, ranges.usual, ranges.declared)]
    for ends, tilings, bins in _ALONE:
        if ends * len(apart) * tilings * (bins + 1) <= _MOST_CELLS:
            return _tiles(ranges, covers[:ends], tilings, bins, keys)
    return None


def _tiles(
    ranges: BoxRanges, covers: Sequence[Cover], most: int, most_bins: int, keys: Sequence[PartKey]
) -> Features:
    """Return tiles of groups of numbers, each over the ranges of its cover.

    most, most_bins: tilings and bins; flags have one tile for each value instead.
    """
    parts: list[Tiles] = []
    chosen: list[int] = []
    for ends, groups in covers:
        for group in map(list, groups):
            two = bool(ranges.two_valued[group].all())
            if two and ends is not covers[0][0]:
                continue  # its one tile is in the first cover
            tilings, bins = (1, 1) if two else (most, most_bins)
            parts.append(Tiles(ends[0, group], ends[1, group], tilings, bins))
            chosen += group
    return selecting(Concat(tuple(parts)), tuple(chosen), len(ranges.two_valued), keys)
