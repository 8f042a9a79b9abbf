"""Compute the Fourier basis, and spread Gaussian cells along each dimension or on a grid."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features.base import NARROWEST, RangeFeatures
from neurorl.network.limits import MAX_FEATURES, check_limit
from neurorl.network.serialization import NotNegative, Range
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import cospi, exp

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


@dataclass(frozen=True, eq=False)
class GaussianCells(RangeFeatures):
    """Spread *cells* Gaussian cells along each dimension, width in spacings. Cells.

    With 1 cell the activation is the scaled value itself. Activations below *floor* are 0.
    """

    cells: Annotated[int, Range(1, MAX_FEATURES)] = 10
    width: Annotated[float, Range(NARROWEST)] = 0.7
    floor: NotNegative = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_size()

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
class RBF(RangeFeatures):
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
        self._check_size()

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
