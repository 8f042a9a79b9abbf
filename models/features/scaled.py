"""Multiply features by a number, so that a critic's steps are divided by no more than they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.models.features.base import Features
from neurorl.network.serialization import FloatArray, number

__all__ = ["Scaled"]


@dataclass(frozen=True, eq=False)
class Scaled(Features):
    """Multiply the features *of* an observation by a factor. Not cells.

    A critic divides its step by ``max(|x|**2, 1)`` of the present features alone, but moves the
    weights of all that its trace still holds. Where many features are active in one step and none
    in the next, it overshoots. With a factor of 1 over the largest ``|x|`` steps are the same
    everywhere.

    factor: 0 or more.
    """

    of: Features
    factor: float

    def __post_init__(self) -> None:
        number("Scaled.factor", self.factor, 0.0)

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

    def values(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.values(flat) * self.factor)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.of_all(flat) * self.factor)

    def __call__(self, observation: Any) -> FloatArray:
        return np.asarray(self.of(observation) * self.factor)
