"""Spread Gaussian cells along each dimension or on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features.ranges import RangeFeatures
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import exp

__all__ = ["RBF", "GaussianCells"]


@dataclass(frozen=True, eq=False)
class GaussianCells(RangeFeatures):
    """Spread *cells* Gaussian cells along each dimension, width in spacings. Cells.

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
class RBF(RangeFeatures):
    """Spread Gaussian cells on a grid of *cells* along every dimension: ``cells**d`` in all. Cells.

    ``exp(-sum_j d_j**2 / (2 width**2))``, d_j the distance along dimension j in spacings, as the
    product of the dimensions' bumps. Activations below *floor* are 0.
    """

    cells: int = 4
    width: float = 0.7
    floor: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if positive("RBF.cells", self.cells) < 2:
            raise DescriptionError("RBF.cells", "too few", got=self.cells, limit=">= 2")
        self._check_cells("cells")

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

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)
