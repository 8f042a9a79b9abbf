"""Join features of several observations, one after the other."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.models.features.base import Features, FromNumbers
from neurorl.models.features.tiles import Tiles, TilesInARow
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, check_limit
from neurorl.network.serialization import positive, several
from neurorl.numerics.arrays import FloatArray

__all__ = ["Concat"]


@dataclass(frozen=True, eq=False)
class Concat(FromNumbers):
    """Join features of the parts of a Tuple or Dict observation, one after the other.

    keys: keys of a Dict or places in a Tuple, in the order of *parts*; empty: a whole Tuple.
    """

    parts: tuple[Features, ...]
    keys: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        parts = several("Concat.parts", self.parts)
        if not all(isinstance(part, Features) for part in parts):
            raise DescriptionError("Concat.parts", "not features", got=quoted(self.parts))
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "keys", several("Concat.keys", self.keys))
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
