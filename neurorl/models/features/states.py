"""Turn the number of a state into cells."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated, Any
from zlib import crc32

import numpy as np

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features.base import NARROWEST, FromNumbers, numbers_of
from neurorl.models.features.tiles import Concat
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, MAX_TABLE, check_limit
from neurorl.network.serialization import Range, number, positive, several, whole_numbers
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import exp

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

    sizes, starts: for each number, how many values it takes and the first one. keys: keys of a
    Dict, in this order; empty for a Tuple or an array.
    """

    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    keys: tuple[str | int, ...] = ()

    start = 0

    def __post_init__(self) -> None:
        sizes = whole_numbers("JointStates.sizes", self.sizes, most=MAX_FEATURES)
        starts = several("JointStates.starts", self.starts)
        starts = tuple(int(number("JointStates.starts", n, *_STARTS)) for n in starts)
        keys = tuple(several("JointStates.keys", self.keys))
        positive("JointStates.sizes", len(sizes), most=MAX_PARTS)
        for name, values in (("sizes", sizes), ("starts", starts), ("keys", keys)):
            if len(values) != len(sizes) and (name != "keys" or values):
                what = "must be as many as sizes"
                got, limit = len(values), len(sizes)
                raise DescriptionError(f"JointStates.{name}", what, got=got, limit=limit)
            object.__setattr__(self, name, values)
        check_limit("JointStates", "states", math.prod(sizes), MAX_FEATURES)

    @functools.cached_property
    def size(self) -> int:
        return math.prod(self.sizes)

    def flat(self, observation: Any) -> FloatArray:
        shown = [observation[key] for key in self.keys] if self.keys else observation
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
    keys: keys of the parts of a Dict, or their places in a Tuple, flattened one after the other.
    """

    length: Side
    places: tuple[int, ...]
    n: Annotated[int, Range(1, _MOST)] = 1024
    keys: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        places = whole_numbers("HashedStates.places", self.places, 0, self.length - 1)
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "keys", tuple(several("HashedStates.keys", self.keys)))

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

    def flat(self, observation: Any) -> FloatArray:
        if self.keys:
            observation = np.concatenate([np.ravel(observation[key]) for key in self.keys])
        numbers = numbers_of("HashedStates", observation, self.length)
        code = crc32(numbers[self._index] + 0.0)  # + 0.0 turns -0.0, which has other bits, into 0.0
        return np.array([code % _MOST % self.n, (code >> _SHIFT) % self.n], dtype=np.float64)

    def values(self, flat: FloatArray) -> FloatArray:
        return self.tables.values(flat)
