"""Choose cells and features of a Box by its declared range and by what the first play showed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.models.features import Concat, Features, Picked, Tiles

__all__ = ["MOST_JOINT", "BoxRanges", "box_cells"]

_QUANTILES = (0.005, 0.995)
_USUAL = (0.05, 0.95)
_DIGITS = 4
_TILINGS, _MORE_TILINGS, _BINS = 4, 8, 4
_MOST_FINE = 4
"""Make more tilings of at most so many numbers that vary."""
_MAX_DECLARED_PAIRS = 6
"""Limit the pairs of numbers; with more, only the usual ranges are cut in pairs, and the others
number by number. A few numbers that went far, as of a body that tumbles, would leave pairs coarse.
"""
MOST_JOINT = 9
"""Make tiles of pairs of numbers only if at most this many vary."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BoxRanges:
    """Hold the ranges of a Box's numbers, flattened.

    low, high: as declared. seen_low, seen_high: from 0.5 to 99.5 % of what was seen. usual_low,
    usual_high: from 5 to 95 %. places: of numbers that vary. two_valued: numbers that took two
    values only, ``(n,)``.
    """

    low: Numbers
    high: Numbers
    seen_low: Numbers
    seen_high: Numbers
    usual_low: Numbers
    usual_high: Numbers
    places: tuple[int, ...]
    two_valued: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, space: gym.spaces.Box, rows: Numbers) -> BoxRanges:
        """Return the ranges of a space; *rows*: the observations of the first play.

        Of more numbers than the space has, as memories of these are, twice what was seen counts as
        declared.
        """
        low, high = (end.astype(np.float64).ravel() for end in (space.low, space.high))
        least, most = rows.min(axis=0), rows.max(axis=0)
        seen_low, seen_high = np.quantile(rows, _QUANTILES, axis=0)
        is_rare = seen_low == seen_high  # of what varies now and then, the quantiles may be one
        seen_low, seen_high = np.where(is_rare, (least, most), (seen_low, seen_high))
        usual_low, usual_high = np.quantile(rows, _USUAL, axis=0)
        is_rare = usual_low == usual_high
        usual_low, usual_high = np.where(is_rare, (seen_low, seen_high), (usual_low, usual_high))
        width, d = seen_high - seen_low, len(low)
        low = np.concatenate([low, _short((seen_low - width / 2.0)[d:])])
        high = np.concatenate([high, _short((seen_high + width / 2.0)[d:])])
        is_between = (rows > least) & (rows < most)
        return cls(
            low,
            high,
            _short(seen_low),
            _short(seen_high),
            _short(usual_low),
            _short(usual_high),
            tuple(np.flatnonzero(most > least).tolist()),
            ~is_between.any(axis=0),
        )


def _short(numbers: Numbers) -> Numbers:
    """Return numbers of a few digits, which files can show, and which last bits don't change."""
    return np.array([float(f"{number:.{_DIGITS}g}") for number in numbers.tolist()])


def box_cells(ranges: BoxRanges, is_fine: bool = True) -> Features | None:
    """Return tiles of every pair of numbers that vary, over what was seen and what is declared.

    Of many pairs these are over what was usual, with tiles of single numbers over all ranges.
    is_fine: whether few numbers have more tilings. Return None if no number varies, or too many do.
    """
    n, places = len(ranges.low), ranges.places
    if not places:
        return None
    if len(places) > MOST_JOINT:
        return None
    pairs = list(itertools.combinations(places, min(2, len(places))))
    apart = [(place,) for place in places]
    seen, declared = (ranges.seen_low, ranges.seen_high), (ranges.low, ranges.high)
    covers: list[tuple[Numbers, Numbers, Sequence[tuple[int, ...]]]]
    covers = [(*seen, pairs), (*declared, pairs)]
    if len(pairs) > _MAX_DECLARED_PAIRS:
        usual = ranges.usual_low, ranges.usual_high
        covers = [(*usual, pairs), (*seen, apart), (*declared, apart)]
    most = _MORE_TILINGS if is_fine and len(places) <= _MOST_FINE else _TILINGS
    parts: list[Tiles] = []
    chosen: list[int] = []
    for low, high, groups in covers:
        for group in map(list, groups):
            two = bool(ranges.two_valued[group].all())
            if two and low is not covers[0][0]:
                continue  # as has been seen
            tilings, bins = (1, 1) if two else (most, _BINS)
            parts.append(Tiles(low[group], high[group], tilings, bins))
            chosen += group
    return Picked(Concat(tuple(parts)), tuple(chosen), n)
