"""Define what all features have in common."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from neurorl.network.serialization import Described, FloatArray

__all__ = ["NARROWEST", "Features", "FromNumbers"]

NARROWEST = 1e-9


class Features(Described, abc.ABC):
    """Map observations to ``(size,)`` numbers."""

    @property
    def are_cells(self) -> bool:
        """Return whether the numbers are activations in [0, 1]."""
        return True

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Return how many numbers there are."""

    @property
    def n_inputs(self) -> int:
        """Return the length of `flat`."""
        return self.size

    def flat(self, observation: Any) -> FloatArray:
        """Return an observation as the numbers that `values` is made of, ``(n_inputs,)``."""
        return self(observation)

    def values(self, flat: FloatArray) -> FloatArray:
        """Return the features of what `flat` gave."""
        return flat

    def of_all(self, flat: FloatArray) -> FloatArray:
        """Return the `values` of each row, ``(n, n_inputs) -> (n, size)``, the same bits."""
        return np.stack([self.values(row) for row in flat])

    @abc.abstractmethod
    def __call__(self, observation: Any) -> FloatArray:
        """Return the numbers of one observation; the array may be reused by the next call."""


class FromNumbers(Features):
    """Map what `flat` makes of an observation to features; by default a plain vector or number."""

    def flat(self, observation: Any) -> FloatArray:
        return np.asarray(observation, dtype=np.float64).ravel()

    def __call__(self, observation: Any) -> FloatArray:
        return self.values(self.flat(observation))

    @abc.abstractmethod
    def values(self, flat: FloatArray) -> FloatArray: ...
