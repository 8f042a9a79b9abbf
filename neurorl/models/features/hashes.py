"""Give observations that come back, such as the images of a small task, cells by their hash."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from neurorl.errors import ArgumentError
from neurorl.models.features.base import FromNumbers
from neurorl.models.features.concat import Concat
from neurorl.models.features.states import OneHot
from neurorl.network.limits import MAX_FEATURES
from neurorl.network.serialization import positive, several
from neurorl.numerics.arrays import FloatArray

__all__ = ["HashedStates"]

_MOST = 2**16
_SHIFT = 16  # so that the two halves of a hash share no bits


@dataclass(frozen=True, eq=False)
class HashedStates(FromNumbers):
    """Give each different observation a cell in each of two tables of *n*. Cells.

    The lower half of its CRC-32 gives its place in one table, the upper half in the other, so two
    observations hardly ever share both. Similar observations share no cells: this is for tasks of
    few states that aren't numbered.

    length: size of the flattened observation. places: indices of the numbers that are compared.
    keys: keys of the parts of a Dict, or their places in a Tuple, flattened one after the other.
    """

    length: int
    places: tuple[int, ...]
    n: int = 1024
    keys: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        positive("HashedStates.length", self.length, most=MAX_FEATURES)
        positive("HashedStates.n", self.n, most=_MOST)
        places = tuple(
            positive("HashedStates.places", place, least=0, most=self.length - 1)
            for place in several("HashedStates.places", self.places)
        )
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "keys", tuple(several("HashedStates.keys", self.keys)))

    @property
    def size(self) -> int:
        return 2 * self.n

    @property
    def n_inputs(self) -> int:
        return 2

    @functools.cached_property
    def tables(self) -> Concat:
        """Return the features of the two places."""
        return Concat((OneHot(self.n), OneHot(self.n)))

    @functools.cached_property
    def _index(self) -> Any:
        return np.array(self.places, dtype=np.int64)

    def flat(self, observation: Any) -> FloatArray:
        if self.keys:
            observation = np.concatenate([np.ravel(observation[key]) for key in self.keys])
        numbers = np.asarray(observation, dtype=np.float64).ravel()
        if len(numbers) != self.length:
            what = "the observation has another size"
            raise ArgumentError("HashedStates", what, got=len(numbers), limit=self.length)
        code = crc32(numbers[self._index] + 0.0)  # + 0.0 turns -0.0, which has other bits, into 0.0
        return np.array([code % _MOST % self.n, (code >> _SHIFT) % self.n], dtype=np.float64)

    def values(self, flat: FloatArray) -> FloatArray:
        return self.tables.values(flat)
