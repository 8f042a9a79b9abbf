"""See an observation's numbers as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import ArgumentError
from neurorl.models.features.base import Features
from neurorl.network.limits import MAX_FEATURES
from neurorl.network.serialization import number, positive
from neurorl.numerics.arrays import FloatArray

__all__ = ["Raw"]


@dataclass(frozen=True, eq=False)
class Raw(Features):
    """See the n numbers of an array, one after the other, each divided by *unit*.

    n: numbers of an observation. unit: such as 255 for bytes of an image, > 0.
    """

    n: int
    unit: float = 1.0

    def __post_init__(self) -> None:
        positive("Raw.n", self.n, most=MAX_FEATURES)
        number("Raw.unit", self.unit, 1e-30)

    @property
    def are_cells(self) -> bool:
        return False

    @property
    def size(self) -> int:
        return self.n

    def __call__(self, observation: Any) -> FloatArray:
        numbers = np.asarray(observation, dtype=np.float64).ravel()
        if len(numbers) != self.n:
            what = "the observation has another size"
            raise ArgumentError("Raw", what, got=len(numbers), limit=self.n)
        return numbers / self.unit
