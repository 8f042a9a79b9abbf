"""Compute features for critics from other features: centred, or multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.models.features.base import Features, FromNumbers
from neurorl.network.serialization import frozen_array, number
from neurorl.numerics.arrays import FloatArray

__all__ = ["FromFeatures", "Multiply", "SubtractMean"]


@dataclass(frozen=True, eq=False)
class FromFeatures(FromNumbers):
    """Map the features that *of* computes to as many others; derive classes from this. Not cells.

    A derived class defines `values` and `of_all`.
    """

    of: Features

    @property
    def are_cells(self) -> bool:
        return False

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def n_inputs(self) -> int:
        return self.of.n_inputs

    def flat(self, observation: Any) -> FloatArray:
        return self.of.flat(observation)


@dataclass(frozen=True, eq=False)
class SubtractMean(FromFeatures, named="Centred"):
    """Subtract the *usual* values of features, ``(size,)``.

    A critic divides its steps by ``|x|**2``, so more of each step goes to what varies.
    """

    usual: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "usual", frozen_array("usual", self.usual, (self.of.size,)))

    def values(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.values(flat) - self.usual)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.of_all(flat) - self.usual)


@dataclass(frozen=True, eq=False)
class Multiply(FromFeatures, named="Scaled"):
    """Multiply features by a *factor*, 0 or more.

    A critic divides its step by ``max(|x|**2, 1)`` of the present features alone, but moves the
    weights of all features in its trace. Where many features are active in one step and none in
    the next, it overshoots. With a factor of 1 over the largest ``|x|`` steps are the same
    everywhere.
    """

    factor: float

    def __post_init__(self) -> None:
        number("Multiply.factor", self.factor, 0.0)

    def values(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.values(flat) * self.factor)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.of_all(flat) * self.factor)
