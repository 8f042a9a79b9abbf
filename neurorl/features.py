"""From an observation to numbers: cells that a network can spike with, features for the critic.

Each is a frozen description with a `size` and a call ``features(observation) -> (size,)``. Those
marked *cells* give activations in [0, 1] and can drive a source; see `neurorl.encoder`.
"""

from __future__ import annotations

import abc
import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.described import Described, FloatArray, frozen_array, positive
from neurorl.errors import DescriptionError, say

__all__ = ["Concat", "Features", "Fourier", "GaussianCells", "OneHot", "PlaceCells", "Tiles"]


class Features(Described, abc.ABC):
    """A map from observations to ``(size,)`` numbers."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many numbers."""

    @abc.abstractmethod
    def __call__(self, observation: Any) -> FloatArray:
        """The numbers of one observation; the array may be reused by the next call."""


@dataclass(frozen=True, eq=False)
class OneHot(Features):
    """One cell for each of *n* states, numbered from *start*. Cells."""

    n: int
    start: int = 0

    @property
    def size(self) -> int:
        return self.n

    def __call__(self, observation: Any) -> FloatArray:
        return np.asarray(self._rows[int(observation) - self.start])

    @functools.cached_property
    def _rows(self) -> FloatArray:
        return np.eye(self.n)


@dataclass(frozen=True, eq=False)
class PlaceCells(Features):
    """Gaussian cells spread evenly over a grid of states numbered row by row. Cells.

    rows, columns: of the grid, states from *start*. per_side: cells along each side. width: of a
    cell, as a fraction of the spacing. ``exp(-d**2 / (2 (width spacing)**2))``.
    """

    rows: int
    columns: int
    start: int = 0
    per_side: int = 7
    width: float = 0.7

    @property
    def size(self) -> int:
        return self.per_side**2

    def __call__(self, observation: Any) -> FloatArray:
        return np.asarray(self._table[int(observation) - self.start])

    @functools.cached_property
    def _table(self) -> FloatArray:
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        vertical = self._bumps(row, self.rows)
        horizontal = self._bumps(column, self.columns)
        cells = vertical[:, :, None] * horizontal[:, None, :]
        return np.asarray(cells.reshape(self.rows * self.columns, -1))

    def _bumps(self, position: Any, length: int) -> FloatArray:
        centres = np.linspace(0, length - 1, self.per_side)
        spacing = (length - 1) / max(self.per_side - 1, 1)
        z = (position[:, None] - centres) / (self.width * spacing)
        return np.asarray(np.exp(-0.5 * z**2))


@dataclass(frozen=True, eq=False)
class _Ranged(Features):
    """Base of features of a vector with a range for each dimension.

    low, high: ``(d,)``; a dimension in which either is infinite is squashed to (0, 1) by
    ``1/2 + atan(x)/pi``, any other is scaled to [0, 1] and clipped.
    """

    low: Any
    high: Any

    def __post_init__(self) -> None:
        low = np.asarray(self.low, dtype=np.float64).ravel()
        high = np.asarray(self.high, dtype=np.float64).ravel()
        bounded = np.isfinite(low) & np.isfinite(high)
        # NaN is not JSON; 0 and 0 mark a dimension without a range.
        low, high = np.where(bounded, low, 0.0), np.where(bounded, high, 0.0)
        if low.shape != high.shape or (low > high).any():
            raise DescriptionError(say(f"{type(self).__name__}.high", "must not be below low"))
        object.__setattr__(self, "low", frozen_array("low", low, low.shape))
        object.__setattr__(self, "high", frozen_array("high", high, low.shape))

    def unit(self, observation: Any) -> FloatArray:
        """The observation in [0, 1], shape ``(d,)``."""
        x = np.asarray(observation, dtype=np.float64).ravel()
        scaled = (x - self.low) * self._gain
        if self._squashed.any():
            scaled[self._squashed] = 0.5 + np.arctan(x[self._squashed]) / np.pi
        return np.asarray(np.minimum(np.maximum(scaled, 0.0), 1.0))

    @functools.cached_property
    def _squashed(self) -> Any:
        return self.high == self.low

    @functools.cached_property
    def _gain(self) -> FloatArray:
        return np.asarray(1.0 / np.where(self._squashed, 1.0, self.high - self.low))


@dataclass(frozen=True, eq=False)
class GaussianCells(_Ranged):
    """*cells* Gaussian cells along each dimension, width a fraction of their spacing. Cells.

    With 1 cell the activation is the scaled value itself. Activations below *floor* are 0.
    """

    cells: int = 10
    width: float = 0.7
    floor: float = 1e-2

    @property
    def size(self) -> int:
        return len(self.low) * self.cells

    def __call__(self, observation: Any) -> FloatArray:
        unit = self.unit(observation)
        if self.cells == 1:
            return unit
        z = (unit[:, None] * (self.cells - 1) - np.arange(self.cells)) / self.width
        x = np.exp(-0.5 * z**2).ravel()
        x[x < self.floor] = 0.0
        return np.asarray(x)


@dataclass(frozen=True, eq=False)
class Tiles(_Ranged):
    """Tile coding: *tilings* grids of ``bins + 1`` tiles a dimension, offset asymmetrically. Cells.

    Offsets are odd multiples of 1/tilings of a tile (Miller & Glanz), so no two tilings align.
    """

    tilings: int = 8
    bins: int = 6

    @property
    def size(self) -> int:
        return int(self.tilings * (self.bins + 1) ** len(self.low))

    def __call__(self, observation: Any) -> FloatArray:
        tile = np.floor(self.unit(observation) * self.bins + self._offsets).astype(np.int64)
        index = np.minimum(tile, self.bins) @ self._strides + self._bases
        x = np.zeros(self.size)
        x[index] = 1.0
        return x

    @functools.cached_property
    def _offsets(self) -> FloatArray:
        k = np.arange(self.tilings)[:, None]
        odd = 2 * np.arange(len(self.low)) + 1
        return np.asarray((k * odd % self.tilings) / self.tilings)

    @functools.cached_property
    def _strides(self) -> Any:
        return (self.bins + 1) ** np.arange(len(self.low))[::-1]

    @functools.cached_property
    def _bases(self) -> Any:
        return np.arange(self.tilings) * (self.bins + 1) ** len(self.low)


@dataclass(frozen=True, eq=False)
class Fourier(_Ranged):
    """``cos(pi c.x)`` for all whole c up to *order* of which at most *coupled* are not 0.

    Source: Konidaris, Osentoski & Thomas 2011. Not cells: values are in [-1, 1].
    """

    order: int = 3
    coupled: int = 4

    @property
    def size(self) -> int:
        return len(self._c)

    def __call__(self, observation: Any) -> FloatArray:
        return np.asarray(np.cos(np.pi * (self._c @ self.unit(observation))))

    @functools.cached_property
    def _c(self) -> FloatArray:
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
        positive("Concat.parts", len(self.parts))

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def __call__(self, observation: Any) -> FloatArray:
        seen = [observation[key] for key in self.keys] if self.keys else observation
        return np.concatenate([part(value) for part, value in zip(self.parts, seen, strict=True)])
