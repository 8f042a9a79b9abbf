"""Select some numbers of an observation, or their changes, and compute features of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features.base import Features, FromNumbers
from neurorl.network.limits import MAX_FEATURES
from neurorl.network.serialization import positive, several
from neurorl.numerics.arrays import FloatArray

__all__ = ["Select", "SelectChanges", "SelectParts"]


@dataclass(frozen=True, eq=False)
class Select(FromNumbers, named="Picked"):
    """Compute features *of* some numbers of an observation, each as often as it is named.

    places: indices of these numbers in the flattened observation. n: size of that observation.
    Raises DescriptionError if ``len(places) != of.n_inputs``.
    """

    of: Features
    places: tuple[int, ...]
    n: int

    def __post_init__(self) -> None:
        positive("Select.n", self.n, most=MAX_FEATURES)
        places = tuple(
            positive("Select.places", place, least=0, most=self.n - 1)
            for place in several("Select.places", self.places)
        )
        object.__setattr__(self, "places", places)
        if len(places) != self.of.n_inputs:
            got, limit = len(places), self.of.n_inputs
            what = "must be as many as the numbers of its features"
            raise DescriptionError("Select.places", what, got=got, limit=limit)

    @property
    def are_cells(self) -> bool:
        return self.of.are_cells

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def n_inputs(self) -> int:
        return len(self.places)

    @functools.cached_property
    def _index(self) -> npt.NDArray[np.int64]:
        return np.array(self.places, dtype=np.int64)

    def flat(self, observation: Any) -> FloatArray:
        numbers = np.asarray(observation, dtype=np.float64).ravel()
        if len(numbers) != self.n:
            what = "the observation has another size"
            raise ArgumentError("Select", what, got=len(numbers), limit=self.n)
        return np.asarray(numbers[self._index])

    def values(self, flat: FloatArray) -> FloatArray:
        return self.of.values(flat)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.of.of_all(flat)


@dataclass(frozen=True, eq=False)
class SelectParts(Select, named="PickedParts"):
    """Do as `Select` for a Tuple or Dict, whose parts are flattened one after the other.

    keys: keys of the parts of a Dict, or their places in a Tuple.
    """

    keys: tuple[str | int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "keys", tuple(several("SelectParts.keys", self.keys)))

    def flat(self, observation: Any) -> FloatArray:
        return super().flat(np.concatenate([np.ravel(observation[key]) for key in self.keys]))


@dataclass(frozen=True, eq=False)
class SelectChanges(Select, named="PickedChanges"):
    """Do as `Select`, but replace some numbers by their change since the step before.

    before: for each of *places* the index of the number that shows the step before, in observations
    that hold earlier ones too; -1 where the number stays as it is.
    """

    before: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        before = tuple(
            positive("SelectChanges.before", place, least=-1, most=self.n - 1)
            for place in several("SelectChanges.before", self.before)
        )
        object.__setattr__(self, "before", before)
        if len(before) != len(self.places):
            got, limit = len(before), len(self.places)
            what = "must be as many as the places"
            raise DescriptionError("SelectChanges.before", what, got=got, limit=limit)

    @functools.cached_property
    def _taken_off(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Return which of the places are changes, and the indices of their earlier numbers."""
        before = np.array(self.before, dtype=np.int64)
        return before >= 0, before[before >= 0]

    def flat(self, observation: Any) -> FloatArray:
        numbers = np.asarray(observation, dtype=np.float64).ravel()
        picked = super().flat(numbers)
        is_change, earlier = self._taken_off
        picked[is_change] -= numbers[earlier]
        return picked
