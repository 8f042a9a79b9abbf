"""From an observation to numbers: cells that a network can spike with, features for the critic.

Each is a frozen description with a `size` and a call ``features(observation) -> (size,)``. Those
marked *cells* give activations in [0, 1] and can drive a source; see `neurorl.models.encoders`.

``native/src/features.h`` computes the same bits in C; a class of your own that is not there needs
only `size` and a call.
"""

from __future__ import annotations

import abc
import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, DescriptionError, say
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, MAX_TABLE, check_limit
from neurorl.network.serialization import Described, FloatArray, frozen_array, number, positive
from neurorl.network.units import refuse_units
from neurorl.numerics.elementary import cospi, exp

__all__ = [
    "RBF",
    "BinnedCombinations",
    "Combinations",
    "Concat",
    "Features",
    "Fourier",
    "FromNumbers",
    "GaussianCells",
    "OneHot",
    "PlaceCells",
    "Ranged",
    "Tiles",
]

_STARTS = (-(2**53), 2**53)
_NARROWEST = 1e-9
_MAX_CHANNELS, _MAX_GROUPS = 4096, 64  # how many codes there are is still a number of some digits
_MAX_FREQUENCIES = 2**18


class Features(Described, abc.ABC):
    """A map from observations to ``(size,)`` numbers."""

    @property
    def are_cells(self) -> bool:
        """Whether the numbers are activations in [0, 1]."""
        return True

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many numbers."""

    @property
    def n_inputs(self) -> int:
        """Length of `flat`."""
        return self.size

    def flat(self, observation: Any) -> FloatArray:
        """An observation as numbers from which `values` makes the features: ``(n_inputs,)``."""
        return self(observation)

    def values(self, flat: FloatArray) -> FloatArray:
        """The features of what `flat` gave."""
        return flat

    def of_all(self, flat: FloatArray) -> FloatArray:
        """The `values` of each row, ``(n, n_inputs) -> (n, size)``, the same bits."""
        return np.stack([self.values(row) for row in flat])

    @abc.abstractmethod
    def __call__(self, observation: Any) -> FloatArray:
        """The numbers of one observation; the array may be reused by the next call."""


class FromNumbers(Features):
    """Base of features of a plain vector or number."""

    def flat(self, observation: Any) -> FloatArray:
        return np.asarray(observation, dtype=np.float64).ravel()

    def __call__(self, observation: Any) -> FloatArray:
        return self.values(self.flat(observation))

    @abc.abstractmethod
    def values(self, flat: FloatArray) -> FloatArray: ...


class _OfState(FromNumbers):
    """Base of features of a state's number: a row of a table, for states from *start* on."""

    start: int

    @property
    def n_inputs(self) -> int:
        return 1

    def values(self, flat: FloatArray) -> FloatArray:
        index = int(flat[0]) - self.start
        if not 0 <= index < self.n_states:
            raise ArgumentError(
                say(
                    type(self).__name__,
                    "no such state",
                    got=int(flat[0]),
                    limit=f"{self.start} to {self.start + self.n_states - 1}",
                )
            )
        return self.row(index)

    @property
    @abc.abstractmethod
    def n_states(self) -> int:
        """How many states there are."""

    @abc.abstractmethod
    def row(self, index: int) -> FloatArray:
        """The features of the state number ``start + index``."""


@dataclass(frozen=True, eq=False)
class OneHot(_OfState):
    """One cell for each of *n* states, numbered from *start*. Cells."""

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
class PlaceCells(_OfState):
    """Gaussian cells spread evenly over a grid of states numbered row by row. Cells.

    rows, columns: of the grid, states from *start*. per_side: cells along each side. width: of a
    cell, as a fraction of the spacing. ``exp(-d**2 / (2 (width spacing)**2))``.
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
        number("PlaceCells.width", self.width, _NARROWEST)

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
        """The activations in all states: ``(n_states, size)``."""
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
class Combinations(_OfState):
    """A state is the code of its rank: which *active* of *channels* cells are 1. Cells, 0 or 1.

    n: states, numbered from *start*. groups: with more than 1, a state is the combination of its
    rank of so many different codes, one in each group of *channels* cells. Ranks are those of
    lexicographic order, so neighbours share most cells. The papers' gridworld has 3 groups of 2
    active among 5. Raises DescriptionError if ``C(C(channels, active), groups) < n``.
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
        codes = _n_codes("Combinations", self.active, self.channels)
        _enough("Combinations.n", self.n, math.comb(codes, self.groups))
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
        """The codes of all states: ``(n, size)``."""
        # Of the n first combinations, none has a code beyond that of rank n + groups - 2.
        needed = min(self.n + self.groups - 1, math.comb(self.channels, self.active))
        codes = _codes(needed, self.active, self.channels)
        chosen = itertools.combinations(range(needed), self.groups)
        ranks = np.array(list(itertools.islice(chosen, self.n)))
        return np.asarray(codes[ranks].reshape(self.n, self.size))


@dataclass(frozen=True, eq=False)
class Ranged(FromNumbers):
    """Base of features of a vector with a range for each dimension.

    low, high: ``(d,)``; a dimension in which either is infinite is squashed to (0, 1) by
    ``(1 + x / (1 + |x|)) / 2``, any other is scaled to [0, 1] and clipped.
    """

    low: Any
    high: Any

    def __post_init__(self) -> None:
        low, high = (self._bound(name) for name in ("low", "high"))
        if low.shape != high.shape:
            what = "low and high are of different lengths"
            got, limit = len(high), len(low)
            raise DescriptionError(say(f"{type(self).__name__}.high", what, got=got, limit=limit))
        bounded = np.isfinite(low) & np.isfinite(high)
        # NaN is not JSON; 0 and 0 mark a dimension without a range.
        low, high = np.where(bounded, low, 0.0), np.where(bounded, high, 0.0)
        if (low > high).any():
            raise DescriptionError(say(f"{type(self).__name__}.high", "must not be below low"))
        object.__setattr__(self, "low", frozen_array("low", low, low.shape))
        object.__setattr__(self, "high", frozen_array("high", high, low.shape))

    def _bound(self, name: str) -> FloatArray:
        where, value = f"{type(self).__name__}.{name}", getattr(self, name)
        refuse_units(where, value)
        try:
            return np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError) as exc:
            got = repr(value)[:60]
            raise DescriptionError(say(where, "not an array of numbers", got=got)) from exc

    def _check_cells(self, *counts: str) -> None:
        """Raise DescriptionError for counts that are none, or too many features of them."""
        where = type(self).__name__
        for name in counts:
            positive(f"{where}.{name}", getattr(self, name), most=MAX_FEATURES)
        check_limit(where, "features", self.size, MAX_FEATURES)
        for name, least in (("width", _NARROWEST), ("floor", 0.0)):
            if hasattr(self, name):
                number(f"{where}.{name}", getattr(self, name), least)

    @property
    def n_inputs(self) -> int:
        return len(self.low)

    def unit(self, flat: FloatArray) -> FloatArray:
        """The observation in [0, 1]; shape of *flat*, ``(..., d)``."""
        scaled = (flat - self.low) * self.gain
        if self.squashed.any():
            x = flat[..., self.squashed]
            scaled[..., self.squashed] = 0.5 + 0.5 * x / (1.0 + np.abs(x))
        return np.asarray(np.minimum(np.maximum(scaled, 0.0), 1.0))

    @functools.cached_property
    def squashed(self) -> npt.NDArray[np.bool_]:
        """Which dimensions have no range."""
        return np.asarray(self.high == self.low)

    @functools.cached_property
    def gain(self) -> FloatArray:
        """1 over the range of each dimension."""
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / np.where(self.squashed, 1.0, self.high - self.low))


@dataclass(frozen=True, eq=False)
class GaussianCells(Ranged):
    """*cells* Gaussian cells along each dimension, width a fraction of their spacing. Cells.

    With 1 cell the activation is the scaled value itself. Activations below *floor* are 0.
    """

    cells: int = 10
    width: float = 0.7
    floor: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_cells("cells")

    @property
    def size(self) -> int:
        return len(self.low) * self.cells

    def values(self, flat: FloatArray) -> FloatArray:
        unit = self.unit(flat)
        if self.cells == 1:
            return unit
        z = (unit[..., None] * (self.cells - 1) - np.arange(self.cells)) / self.width
        x = exp(-0.5 * (z * z)).reshape(*flat.shape[:-1], -1)
        x[x < self.floor] = 0.0
        return np.asarray(x)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)


@dataclass(frozen=True, eq=False)
class RBF(Ranged):
    """Gaussian cells on a grid of *cells* along every dimension: ``cells**d`` in all. Cells.

    ``exp(-sum_j d_j**2 / (2 width**2))``, d_j the distance along dimension j in spacings, as the
    product of the dimensions' bumps. Activations below *floor* are 0.
    """

    cells: int = 4
    width: float = 0.7
    floor: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if positive("RBF.cells", self.cells) < 2:
            raise DescriptionError(say("RBF.cells", "too few", got=self.cells, limit=">= 2"))
        self._check_cells("cells")

    @property
    def size(self) -> int:
        return int(self.cells ** len(self.low))

    def values(self, flat: FloatArray) -> FloatArray:
        z = (self.unit(flat)[..., None] * (self.cells - 1) - np.arange(self.cells)) / self.width
        bumps = exp(-0.5 * (z * z))
        x = bumps[..., 0, :]
        for j in range(1, bumps.shape[-2]):  # in this order, as products are rounded
            x = (x[..., :, None] * bumps[..., j, None, :]).reshape(*flat.shape[:-1], -1)
        return np.asarray(np.where(x < self.floor, 0.0, x))

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)


@dataclass(frozen=True, eq=False)
class Tiles(Ranged):
    """Tile coding: *tilings* grids of ``bins + 1`` tiles a dimension, offset asymmetrically. Cells.

    Offsets are odd multiples of 1/tilings of a tile (Miller & Glanz), so no two tilings align.
    """

    tilings: int = 8
    bins: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_cells("tilings", "bins")

    @property
    def size(self) -> int:
        return int(self.tilings * (self.bins + 1) ** len(self.low))

    def values(self, flat: FloatArray) -> FloatArray:
        unit = self.unit(flat)[..., None, :]
        tile = np.floor(unit * self.bins + self.offsets).astype(np.int64)
        index = np.minimum(tile, self.bins) @ self.strides + self._bases
        x = np.zeros((*flat.shape[:-1], self.size))
        np.put_along_axis(x, index, 1.0, axis=-1)
        return x

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)

    @functools.cached_property
    def offsets(self) -> FloatArray:
        """Of each tiling in each dimension, in tiles: ``(tilings, d)``."""
        k = np.arange(self.tilings)[:, None]
        odd = 2 * np.arange(len(self.low)) + 1
        return np.asarray((k * odd % self.tilings) / self.tilings)

    @functools.cached_property
    def strides(self) -> Any:
        """What a tile more in each dimension adds to the index: ``(d,)``."""
        return (self.bins + 1) ** np.arange(len(self.low))[::-1]

    @functools.cached_property
    def _bases(self) -> Any:
        return np.arange(self.tilings) * (self.bins + 1) ** len(self.low)


@dataclass(frozen=True, eq=False)
class BinnedCombinations(Ranged):
    """Each dimension's bin as the code of its rank, one after the other. Cells, 0 or 1.

    bins: equal ones along a dimension; ``floor(bins unit)``, the last bin with its upper end.
    active, channels: the bin's code is which *active* of a dimension's *channels* cells are 1, as
    in `Combinations`. Raises DescriptionError if ``C(channels, active) < bins``.
    Source: the code of arXiv:1910.06489, which codes each dimension by itself, in as many bins as
    channels of which half are active, and writes -1 for 0.
    """

    bins: int = 10
    active: int = 5
    channels: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_cells("bins")
        codes = _n_codes("BinnedCombinations", self.active, self.channels)
        _enough("BinnedCombinations.bins", self.bins, codes)
        check_limit("BinnedCombinations", "codes", self.bins * self.channels, MAX_TABLE)

    @property
    def size(self) -> int:
        return len(self.low) * self.channels

    def values(self, flat: FloatArray) -> FloatArray:
        index = np.floor(self.unit(flat) * self.bins).astype(np.int64)
        codes = self.table[np.minimum(index, self.bins - 1)]
        return np.asarray(codes.reshape(*flat.shape[:-1], self.size))

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)

    @functools.cached_property
    def table(self) -> FloatArray:
        """The codes of all bins: ``(bins, channels)``."""
        return _codes(self.bins, self.active, self.channels)


@dataclass(frozen=True, eq=False)
class Fourier(Ranged):
    """``cos(pi c.x)`` for all whole c up to *order* of which at most *coupled* are not 0.

    Source: Konidaris, Osentoski & Thomas 2011. Not cells: values are in [-1, 1].
    """

    order: int = 3
    coupled: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("order", "coupled"):
            positive(f"Fourier.{name}", getattr(self, name), most=MAX_FEATURES)
        d = len(self.low)
        terms = range(min(self.coupled, d) + 1)
        size = 0
        for k in terms:
            size += math.comb(d, k) * self.order**k
            check_limit("Fourier", "features", size, _MAX_FREQUENCIES)
        check_limit("Fourier", "frequencies", size * d, _MAX_FREQUENCIES * 2**12)

    @property
    def are_cells(self) -> bool:
        return False

    @property
    def size(self) -> int:
        return len(self.c)

    def values(self, flat: FloatArray) -> FloatArray:
        unit = self.unit(flat)
        y = self.c[:, 0] * unit[..., :1]
        for j in range(1, unit.shape[-1]):  # in this order, and not in BLAS's
            y = y + self.c[:, j] * unit[..., j : j + 1]
        return cospi(y)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)

    @functools.cached_property
    def c(self) -> FloatArray:
        """The frequencies: ``(size, d)``."""
        d = len(self.low)
        rows = [np.zeros(d)]
        for k in range(1, min(self.coupled, d) + 1):
            for where in itertools.combinations(range(d), k):
                for value in itertools.product(range(1, self.order + 1), repeat=k):
                    row = np.zeros(d)
                    row[list(where)] = value
                    rows.append(row)
        return np.array(rows)


@dataclass(frozen=True, eq=False)
class Concat(Features):
    """Features of the parts of a Tuple or Dict observation, one after the other.

    keys: of a Dict, in the order of *parts*; empty for a Tuple.
    """

    parts: tuple[Features, ...]
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        object.__setattr__(self, "keys", tuple(self.keys))
        positive("Concat.parts", len(self.parts), most=MAX_PARTS)
        check_limit("Concat", "features", self.size, MAX_FEATURES)

    @property
    def are_cells(self) -> bool:
        return all(part.are_cells for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def n_inputs(self) -> int:
        return sum(part.n_inputs for part in self.parts)

    def flat(self, observation: Any) -> FloatArray:
        seen = [observation[key] for key in self.keys] if self.keys else observation
        pairs = zip(self.parts, seen, strict=True)
        return np.concatenate([part.flat(value) for part, value in pairs])

    def values(self, flat: FloatArray) -> FloatArray:
        ends = np.cumsum([part.n_inputs for part in self.parts])[:-1]
        pairs = zip(self.parts, np.split(flat, ends), strict=True)
        return np.concatenate([part.values(inputs) for part, inputs in pairs])

    def __call__(self, observation: Any) -> FloatArray:
        return self.values(self.flat(observation))


def _codes(n: int, active: int, channels: int) -> FloatArray:
    """The first *n* choices of *active* channels in lexicographic order: ``(n, channels)``."""
    chosen = itertools.islice(itertools.combinations(range(channels), active), n)
    codes = np.zeros((n, channels))
    np.put_along_axis(codes, np.array(list(chosen)), 1.0, axis=1)
    return codes


def _n_codes(where: str, active: int, channels: int) -> int:
    positive(f"{where}.channels", channels, most=_MAX_CHANNELS)
    if positive(f"{where}.active", active) > channels:
        what = "more active channels than there are"
        raise DescriptionError(say(f"{where}.active", what, got=active, limit=channels))
    return math.comb(channels, active)


def _enough(where: str, n: int, codes: int) -> None:
    if n > codes:
        remedy = "more channels, or half of them active"
        raise DescriptionError(say(where, "more than codes", got=n, limit=codes, remedy=remedy))
