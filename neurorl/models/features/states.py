"""Turn the number of a state into cells."""

from __future__ import annotations

import abc
import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features.base import NARROWEST, FromNumbers
from neurorl.models.features.codes import check_enough, code_table, count_codes
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, MAX_TABLE, check_limit
from neurorl.network.serialization import number, positive, several
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import exp

__all__ = ["Combinations", "JointStates", "OneHot", "PlaceCells"]

_STARTS = (-(2**53), 2**53)
_MAX_GROUPS = 64


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
    @abc.abstractmethod
    def n_states(self) -> int:
        """Return how many states there are."""

    @abc.abstractmethod
    def row(self, index: int) -> FloatArray:
        """Return the features of the state number ``start + index``."""


@dataclass(frozen=True, eq=False)
class OneHot(OfState):
    """Give one cell to each of *n* states, numbered from *start*. Cells."""

    n: int
    start: int = 0

    def __post_init__(self) -> None:
        positive("OneHot.n", self.n, most=MAX_FEATURES)
        number("OneHot.start", self.start, *_STARTS)

    @property
    def size(self) -> int:
        return self.n

    @property
    def n_states(self) -> int:
        return self.n

    def row(self, index: int) -> FloatArray:
        x = np.zeros(self.n)
        x[index] = 1.0
        return x


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
        sizes = several("JointStates.sizes", self.sizes)
        starts = several("JointStates.starts", self.starts)
        sizes = tuple(positive("JointStates.sizes", n, most=MAX_FEATURES) for n in sizes)
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

    @property
    def size(self) -> int:
        return self.n_states

    @functools.cached_property
    def n_states(self) -> int:
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

    def row(self, index: int) -> FloatArray:
        x = np.zeros(self.size)
        x[index] = 1.0
        return x


@dataclass(frozen=True, eq=False)
class PlaceCells(OfState):
    """Spread Gaussian cells evenly over a grid of states numbered row by row. Cells.

    rows, columns: shape of the grid, whose states begin at *start*. per_side: cells a side. width:
    of a cell, as a fraction of the spacing. ``exp(-d**2 / (2 (width spacing)**2))``.
    """

    rows: int
    columns: int
    start: int = 0
    per_side: int = 7
    width: float = 0.7

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "per_side"):
            positive(f"PlaceCells.{name}", getattr(self, name), most=MAX_FEATURES)
        check_limit("PlaceCells", "cells", self.size, MAX_FEATURES)
        check_limit("PlaceCells", "activations", self.n_states * self.size, MAX_TABLE)
        number("PlaceCells.start", self.start, *_STARTS)
        number("PlaceCells.width", self.width, NARROWEST)

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
class Combinations(OfState):
    """Give each state the code of its rank: which *active* of *channels* cells are 1. Cells.

    n: states, numbered from *start*. groups: if more than 1, a state is a combination of so many
    different codes, one in each group of *channels* cells. Ranks follow lexicographic order, so
    neighbours share most cells. The papers' gridworld has 3 groups of 2 active among 5. Raises
    DescriptionError if ``C(C(channels, active), groups) < n``.
    Source: the code of arXiv:1910.06489, which writes -1 for 0.
    """

    n: int
    active: int
    channels: int
    start: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        positive("Combinations.n", self.n, most=MAX_FEATURES)
        positive("Combinations.groups", self.groups, most=_MAX_GROUPS)
        number("Combinations.start", self.start, *_STARTS)
        codes = count_codes("Combinations", self.active, self.channels)
        check_enough("Combinations.n", self.n, math.comb(codes, self.groups))
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
        codes = code_table(needed, self.active, self.channels)
        chosen = itertools.combinations(range(needed), self.groups)
        ranks = np.array(list(itertools.islice(chosen, self.n)))
        return np.asarray(codes[ranks].reshape(self.n, self.size))
