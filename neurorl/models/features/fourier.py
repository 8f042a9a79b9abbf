"""Compute the Fourier basis."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from neurorl.models.features.ranges import RangeFeatures
from neurorl.network.limits import MAX_FEATURES, check_limit
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import cospi

__all__ = ["Fourier"]

_MAX_FREQUENCIES = 2**18


@dataclass(frozen=True, eq=False)
class Fourier(RangeFeatures):
    """Compute ``cos(pi c.x)`` for whole c up to *order*, at most *coupled* entries of c not 0.

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
        for j in range(1, unit.shape[-1]):  # not by BLAS, whose order of sums differs
            y = y + self.c[:, j] * unit[..., j : j + 1]
        return cospi(y)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)

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
