"""Join features of several observations, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.models.features.base import Features, FromNumbers
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, check_limit
from neurorl.network.serialization import FloatArray, positive

__all__ = ["Concat"]


@dataclass(frozen=True, eq=False)
class Concat(FromNumbers):
    """Join features of the parts of a Tuple or Dict observation, one after the other.

    keys: of a Dict, or places in a Tuple, in the order of *parts*; empty for all of a Tuple.
    """

    parts: tuple[Features, ...]
    keys: tuple[str | int, ...] = ()

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
        observations = [observation[key] for key in self.keys] if self.keys else observation
        pairs = zip(self.parts, observations, strict=True)
        return np.concatenate([part.flat(value) for part, value in pairs])

    def values(self, flat: FloatArray) -> FloatArray:
        ends = np.cumsum([part.n_inputs for part in self.parts])[:-1]
        pairs = zip(self.parts, np.split(flat, ends), strict=True)
        return np.concatenate([part.values(inputs) for part, inputs in pairs])
