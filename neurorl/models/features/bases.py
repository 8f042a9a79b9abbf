"""Compute the Fourier basis, Gaussian cells and tiles of dimensions, and join features."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.models.features.base import (
    NARROWEST,
    Features,
    FromNumbers,
    PartKey,
    RangeFeatures,
    part_at,
    part_keys,
    scaled_to_one,
)
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, check_limit
from neurorl.network.serialization import NotNegative, Range, positive, several
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import cospi, exp
from neurorl.tasks.kinds import Shown

_MAX_FREQUENCIES = 2**18


@dataclass(frozen=True, eq=False)
class Fourier(RangeFeatures):
    """Compute ``cos(pi c.x)`` for whole c up to *order*, at most *coupled* entries of c not 0.

    Source: Konidaris, Osentoski & Thomas 2011. Not cells: values are in [-1, 1].
    """

    order: Annotated[int, Range(1, MAX_FEATURES)] = 3
    coupled: Annotated[int, Range(1, MAX_FEATURES)] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        d = len(self.low)
        terms = range(min(self.coupled, d) + 1)
        size = 0
        for k in terms:
            size += math.comb(d, k) * self.order**k
            check_limit("Fourier", "features", size, _MAX_FREQUENCIES)
        check_limit("Fourier", "frequencies", size * d, _MAX_FREQUENCIES * 2**12)

    are_cells = False

    @property
    def size(self) -> int:
        return len(self.c)

    def values(self, flat: FloatArray) -> FloatArray:
        unit = self.unit(flat)
        y = self.c[:, 0] * unit[..., :1]
        for j in range(1, unit.shape[-1]):  # not by BLAS, whose order of sums differs
            y = y + self.c[:, j] * unit[..., j : j + 1]
        return cospi(y)

    of_all = values

    @functools.cached_property
    def c(self) -> FloatArray:
        """Return the frequencies, ``(size, d)``."""
        d = len(self.low)
        rows = [np.zeros(d)]
        for k in range(1, min(self.coupled, d) + 1):
            for where in itertools.combinations(range(d), k):
                for value in itertools.product(range(1, self.order + 1), repeat=k):
                    row = np.zeros(d)
                    row[list(where)] = value
                    rows.append(row)
        return np.array(rows)

    @property
    def by_dimension(self) -> FloatArray:
        """Return the frequencies of each dimension, ``(d, size)``."""
        return self.c.T


class FewFeatures(RangeFeatures):
    """Refuse more features than `neurorl.network.limits.MAX_FEATURES`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_limit(type(self).__name__, "features", self.size, MAX_FEATURES)


@dataclass(frozen=True, eq=False)
class GaussianCells(FewFeatures):
    """Spread *cells* Gaussian cells along each dimension, width in spacings. Cells.

    With 1 cell the activation is the scaled value itself. Activations below *floor* are 0.
    """

    cells: Annotated[int, Range(1, MAX_FEATURES)] = 10
    width: Annotated[float, Range(NARROWEST)] = 0.7
    floor: NotNegative = 1e-2

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

    of_all = values


@dataclass(frozen=True, eq=False)
class RBF(FewFeatures):
    """Spread Gaussian cells on a grid of *cells* along every dimension: ``cells**d`` in all. Cells.

    ``exp(-sum_j d_j**2 / (2 width**2))``, d_j the distance along dimension j in spacings, as the
    product of the dimensions' bumps. Activations below *floor* are 0.
    """

    cells: Annotated[int, Range(1, MAX_FEATURES)] = 4
    width: Annotated[float, Range(NARROWEST)] = 0.7
    floor: NotNegative = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cells < 2:
            raise DescriptionError("RBF.cells", "too few", got=self.cells, limit=">= 2")

    @property
    def size(self) -> int:
        return int(self.cells ** len(self.low))

    def values(self, flat: FloatArray) -> FloatArray:
        z = (self.unit(flat)[..., None] * (self.cells - 1) - np.arange(self.cells)) / self.width
        bumps = exp(-0.5 * (z * z))
        x = bumps[..., 0, :]
        for j in range(1, bumps.shape[-2]):  # a fixed order, as rounding depends on it
            x = (x[..., :, None] * bumps[..., j, None, :]).reshape(*flat.shape[:-1], -1)
        return np.asarray(np.where(x < self.floor, 0.0, x))

    of_all = values


@dataclass(frozen=True, eq=False)
class Tiles(FewFeatures):
    """Cover the space with *tilings* grids of ``bins + 1`` tiles a dimension, offset. Cells.

    Offsets are odd multiples of 1/tilings of a tile (Miller & Glanz), so no two tilings align.
    """

    tilings: Annotated[int, Range(1, MAX_FEATURES)] = 8
    bins: Annotated[int, Range(1, MAX_FEATURES)] = 6

    @property
    def size(self) -> int:
        return int(self.tilings * (self.bins + 1) ** len(self.low))

    def values(self, flat: FloatArray) -> FloatArray:
        unit = self.unit(flat)[..., None, :]
        tile = np.floor(unit * self.bins + self.offsets).astype(np.int64)
        index = np.minimum(tile, self.bins) @ self.strides + self.bases
        x = np.zeros((*flat.shape[:-1], self.size))
        np.put_along_axis(x, index, 1.0, axis=-1)
        return x

    of_all = values

    @functools.cached_property
    def offsets(self) -> FloatArray:
        """Return the offset of each tiling in each dimension, in tiles: ``(tilings, d)``."""
        k = np.arange(self.tilings)[:, None]
        odd = 2 * np.arange(len(self.low)) + 1
        return np.asarray((k * odd % self.tilings) / self.tilings)

    @functools.cached_property
    def strides(self) -> Any:
        """Return how far apart the indices of neighbours in each dimension are, ``(d,)``."""
        return (self.bins + 1) ** np.arange(len(self.low))[::-1]

    @functools.cached_property
    def bases(self) -> Any:
        """Return the index of each tiling's first tile, ``(tilings,)``."""
        return np.arange(self.tilings) * (self.bins + 1) ** len(self.low)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return dimensions, tilings and bins, all equal in tiles of one `TilesInARow`."""
        return len(self.low), self.tilings, self.bins


class TilesInARow:
    """Compute several `Tiles` of one shape at once, with the same bits as one by one."""

    def __init__(self, tiles: Sequence[Tiles]) -> None:
        self._of, self._n = tiles[0], len(tiles)
        self.n_inputs = sum(part.n_inputs for part in tiles)
        self._ranges = tuple(
            np.concatenate([getattr(part, name) for part in tiles])
            for name in ("low", "gain", "squashed")
        )
        self._first = self._of.size * np.arange(self._n)[:, None]

    def of_all(self, flat: FloatArray) -> FloatArray:
        """Return the tiles of rows ``(n, n_inputs)``, in the order of the `Tiles`."""
        of, n = self._of, len(flat)
        unit = scaled_to_one(flat, *self._ranges).reshape(n, self._n, 1, -1)
        tile = np.floor(unit * of.bins + of.offsets).astype(np.int64)
        index = np.minimum(tile, of.bins) @ of.strides + of.bases + self._first
        x = np.zeros((n, self._n * of.size))
        x[np.arange(n)[:, None], index.reshape(n, -1)] = 1.0
        return x


@dataclass(frozen=True, eq=False)
class Concat(FromNumbers):
    """Join features of the parts of a Tuple or Dict observation, one after the other.

    keys: of the observation's parts, in the order of *parts*; empty: a whole Tuple.
    """

    parts: Annotated[tuple[Features, ...], several]
    keys: Annotated[tuple[PartKey, ...], part_keys] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(part, Features) for part in self.parts):
            raise DescriptionError("Concat.parts", "not features", got=quoted(self.parts))
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

    def flat(self, observation: Shown) -> FloatArray:
        if self.keys:
            observation = [part_at(observation, key) for key in self.keys]
        pairs = zip(self.parts, observation, strict=True)
        return np.concatenate([part.flat(value) for part, value in pairs])

    def values(self, flat: FloatArray) -> FloatArray:
        ends = np.cumsum([part.n_inputs for part in self.parts])[:-1]
        pairs = zip(self.parts, np.split(flat, ends), strict=True)
        return np.concatenate([part.values(inputs) for part, inputs in pairs])

    def of_all(self, flat: FloatArray) -> FloatArray:
        ends = np.cumsum([run.n_inputs for run in self._runs])[:-1]
        pairs = zip(self._runs, np.split(flat, ends, axis=1), strict=True)
        return np.concatenate([run.of_all(inputs) for run, inputs in pairs], axis=1)

    @functools.cached_property
    def _runs(self) -> list[Features | TilesInARow]:
        """Return the parts, with successive tiles of the same shape joined into one."""
        runs: list[Features | TilesInARow] = []
        for shape, of_shape in itertools.groupby(self.parts, _shape_of_tiles):
            parts = list(of_shape)
            tiles = [part for part in parts if isinstance(part, Tiles)]
            runs += parts if shape is None else [TilesInARow(tiles)]
        return runs


def _shape_of_tiles(part: Features) -> tuple[int, int, int] | None:
    return part.shape if type(part) is Tiles else None
