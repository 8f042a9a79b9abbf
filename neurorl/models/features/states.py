"""Turn the number of a state into cells, or states and bins into codes of active channels."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any
from zlib import crc32

import numpy as np

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features.base import (
    NARROWEST,
    FromNumbers,
    PartKey,
    numbers_of,
    part_at,
    part_keys,
    parts_in,
)
from neurorl.models.features.bases import Concat, FewFeatures
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, MAX_TABLE, check_limit
from neurorl.network.serialization import Count, Range, number, positive, several, whole_numbers
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import exp
from neurorl.tasks.kinds import Shown

_STARTS = (-(2**53), 2**53)
Start = Annotated[int, Range(*_STARTS)]
Side = Annotated[int, Range(1, MAX_FEATURES)]
_MOST = 2**16
_SHIFT = 16  # so that the two halves of a hash share no bits


class OfState(FromNumbers):
    """Map the number of a state to a row of a table, for states from *start* on."""

    start: int

    @property
    def n_inputs(self) -> int:
        return 1

    def values(self, flat: FloatArray) -> FloatArray:
        index = int(flat[0]) - self.start
        if not 0 <= index < self.n_states:
            raise ArgumentError(
                type(self).__name__,
                "no such state",
                got=int(flat[0]),
                limit=f"{self.start} to {self.start + self.n_states - 1}",
            )
        return self.row(index)

    @property
    def n_states(self) -> int:
        """Return how many states there are: one for each cell, unless a class says otherwise."""
        return self.size

    def row(self, index: int) -> FloatArray:
        """Return the features of the state number ``start + index``."""
        x = np.zeros(self.size)
        x[index] = 1.0
        return x


@dataclass(frozen=True, eq=False)
class OneHot(OfState):
    """Give one cell to each of *n* states, numbered from *start*. Cells."""

    n: Side
    start: Start = 0

    @property
    def size(self) -> int:
        return self.n


@dataclass(frozen=True, eq=False)
class JointStates(OfState):
    """Give one cell to each combination of several numbers, such as a Tuple's. Cells.

    sizes, starts: for each number, how many values it takes and the first one. keys: of the
    parts that hold them; empty for a Tuple or an array.
    """

    sizes: Annotated[tuple[int, ...], Range(1, MAX_FEATURES)]
    starts: Annotated[tuple[int, ...], several]
    keys: Annotated[tuple[PartKey, ...], part_keys] = ()

    start = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        starts = tuple(int(number("JointStates.starts", n, *_STARTS)) for n in self.starts)
        object.__setattr__(self, "starts", starts)
        positive("JointStates.sizes", len(self.sizes), most=MAX_PARTS)
        for name, values in (("starts", starts), ("keys", self.keys or starts)):
            if len(values) != len(self.sizes):
                got, limit = len(values), len(self.sizes)
                what = "must be as many as sizes"
                raise DescriptionError(f"JointStates.{name}", what, got=got, limit=limit)
        check_limit("JointStates", "states", math.prod(self.sizes), MAX_FEATURES)

    @functools.cached_property
    def size(self) -> int:
        return math.prod(self.sizes)

    def flat(self, observation: Shown) -> FloatArray:
        shown = observation
        if self.keys and not isinstance(observation, np.ndarray):
            shown = [part_at(observation, key) for key in self.keys]
        index = 0
        for value, size, start in zip(shown, self.sizes, self.starts, strict=True):
            if not 0 <= value - start < size:
                limit = f"{start} to {start + size - 1}"
                raise ArgumentError("JointStates", "no such state", got=value, limit=limit)
            index = index * size + int(value) - start
        return np.array([index], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class PlaceCells(OfState):
    """Spread Gaussian cells evenly over a grid of states numbered row by row. Cells.

    rows, columns: shape of the grid, whose states begin at *start*. per_side: cells a side. width:
    of a cell, as a fraction of the spacing. ``exp(-d**2 / (2 (width spacing)**2))``.
    """

    rows: Side
    columns: Side
    start: Start = 0
    per_side: Side = 7
    width: Annotated[float, Range(NARROWEST)] = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_limit("PlaceCells", "cells", self.size, MAX_FEATURES)
        check_limit("PlaceCells", "activations", self.n_states * self.size, MAX_TABLE)

    @property
    def size(self) -> int:
        return self.per_side**2

    @property
    def n_states(self) -> int:
        return self.rows * self.columns

    def row(self, index: int) -> FloatArray:
        return np.asarray(self.table[index])

    @functools.cached_property
    def table(self) -> FloatArray:
        """Return the activations in all states, ``(n_states, size)``."""
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        vertical = self._bumps(row, self.rows)
        horizontal = self._bumps(column, self.columns)
        cells = vertical[:, :, None] * horizontal[:, None, :]
        return np.asarray(cells.reshape(self.rows * self.columns, -1))

    def _bumps(self, position: Any, length: int) -> FloatArray:
        centres = np.linspace(0, length - 1, self.per_side)
        spacing = (length - 1) / max(self.per_side - 1, 1)
        z = (position[:, None] - centres) / (self.width * spacing)
        return exp(-0.5 * (z * z))


@dataclass(frozen=True, eq=False)
class HashedStates(FromNumbers):
    """Give each different observation a cell in each of two tables of *n*. Cells.

    The lower half of its CRC-32 gives its place in one table, the upper half in the other, so two
    observations hardly ever share both. Similar observations share no cells: this is for tasks of
    few states that aren't numbered.

    length: size of the flattened observation. places: indices of the numbers that are compared.
    keys: of the parts of a Dict or Tuple, flattened one after the other.
    """

    length: Side
    places: tuple[int, ...]
    n: Annotated[int, Range(1, _MOST)] = 1024
    keys: Annotated[tuple[PartKey, ...], part_keys] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        places = whole_numbers("HashedStates.places", self.places, 0, self.length - 1)
        object.__setattr__(self, "places", places)

    @property
    def size(self) -> int:
        return 2 * self.n

    @property
    def n_inputs(self) -> int:
        return 2

    @functools.cached_property
    def tables(self) -> Concat:
        """Return the features of the two places."""
        return Concat((OneHot(self.n), OneHot(self.n)))

    @functools.cached_property
    def _index(self) -> Any:
        return np.array(self.places, dtype=np.int64)

    def flat(self, observation: Shown) -> FloatArray:
        numbers = numbers_of("HashedStates", parts_in(observation, self.keys), self.length)
        code = crc32(numbers[self._index] + 0.0)  # + 0.0 turns -0.0, which has other bits, into 0.0
        return np.array([code % _MOST % self.n, (code >> _SHIFT) % self.n], dtype=np.float64)

    def values(self, flat: FloatArray) -> FloatArray:
        return self.tables.values(flat)


_MAX_CHANNELS = 4096  # so that the number of codes has few digits


@dataclass(frozen=True, eq=False)
class Combinations(OfState):
    """Give each state the code of its rank: which *active* of *channels* cells are 1. Cells.

    n: states, numbered from *start*. groups: if more than 1, a state is a combination of so many
    different codes, one in each group of *channels* cells. Ranks follow lexicographic order, so
    neighbours share most cells. The papers' gridworld has 3 groups of 2 active among 5. Raises
    DescriptionError if ``C(C(channels, active), groups) < n``.
    Source: the code of arXiv:1910.06489, which writes -1 for 0.
    """

    n: Annotated[int, Range(1, MAX_FEATURES)]
    active: Count
    channels: Annotated[int, Range(1, _MAX_CHANNELS)]
    start: Start = 0
    groups: Annotated[int, Range(1, 64)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        codes = _count_codes("Combinations", self.active, self.channels)
        _check_enough("Combinations.n", self.n, math.comb(codes, self.groups))
        check_limit("Combinations", "activations", self.n * self.size, MAX_TABLE)

    @property
    def size(self) -> int:
        return self.groups * self.channels

    @property
    def n_states(self) -> int:
        return self.n

    def row(self, index: int) -> FloatArray:
        return np.asarray(self.table[index])

    @functools.cached_property
    def table(self) -> FloatArray:
        """Return the codes of all states, ``(n, size)``."""
        # Of the n first combinations, none has a code beyond that of rank n + groups - 2.
        needed = min(self.n + self.groups - 1, math.comb(self.channels, self.active))
        codes = _code_table(needed, self.active, self.channels)
        chosen = itertools.combinations(range(needed), self.groups)
        ranks = np.array(list(itertools.islice(chosen, self.n)))
        return np.asarray(codes[ranks].reshape(self.n, self.size))


@dataclass(frozen=True, eq=False)
class BinnedCombinations(FewFeatures):
    """Give each dimension's bin the code of its rank, one after the other. Cells, 0 or 1.

    bins: equal bins along a dimension, ``floor(bins unit)``; the last includes its upper end.
    active, channels: a bin's code says which *active* of a dimension's *channels* cells are 1, as
    in `Combinations`. Raises DescriptionError if ``C(channels, active) < bins``.
    Source: the code of arXiv:1910.06489, which codes each dimension by itself, in as many bins as
    channels; half of these are active, and it writes -1 for 0.
    """

    bins: Annotated[int, Range(1, MAX_FEATURES)] = 10
    active: Count = 5
    channels: Annotated[int, Range(1, _MAX_CHANNELS)] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        codes = _count_codes("BinnedCombinations", self.active, self.channels)
        _check_enough("BinnedCombinations.bins", self.bins, codes)
        check_limit("BinnedCombinations", "codes", self.bins * self.channels, MAX_TABLE)

    @property
    def size(self) -> int:
        return len(self.low) * self.channels

    def values(self, flat: FloatArray) -> FloatArray:
        index = np.floor(self.unit(flat) * self.bins).astype(np.int64)
        codes = self.table[np.minimum(index, self.bins - 1)]
        return np.asarray(codes.reshape(*flat.shape[:-1], self.size))

    of_all = values

    @functools.cached_property
    def table(self) -> FloatArray:
        """Return the codes of all bins, ``(bins, channels)``."""
        return _code_table(self.bins, self.active, self.channels)


def _code_table(n: int, active: int, channels: int) -> FloatArray:
    """Return the first *n* choices of *active* channels in order: ``(n, channels)``."""
    chosen = itertools.islice(itertools.combinations(range(channels), active), n)
    table = np.zeros((n, channels))
    np.put_along_axis(table, np.array(list(chosen)), 1.0, axis=1)
    return table


def _count_codes(where: str, active: int, channels: int) -> int:
    """Return how many codes there are. Raises DescriptionError for too few channels."""
    if active > channels:
        what = "more active channels than there are"
        raise DescriptionError(f"{where}.active", what, got=active, limit=channels)
    return math.comb(channels, active)


def _check_enough(where: str, n: int, codes: int) -> None:
    """Raise DescriptionError for more things than codes."""
    if n > codes:
        remedy = "more channels, or half of them active"
        raise DescriptionError(where, "more than codes", got=n, limit=codes, remedy=remedy)
