"""Compute features of other features, or of some numbers or means of an observation."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features.base import (
    Features,
    FromNumbers,
    PartKey,
    RangeFeatures,
    Raw,
    Sides,
    image_of,
    numbers_of,
    part_keys,
    parts_in,
)
from neurorl.network.limits import MAX_FEATURES
from neurorl.network.serialization import NotNegative, Range, frozen_array, whole_numbers
from neurorl.numerics.arrays import BoolArray, FloatArray, IntArray
from neurorl.tasks.kinds import Shown


class _Of(FromNumbers):
    """Have as many numbers, before and after, as other features."""

    of: Features

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def n_inputs(self) -> int:
        return self.of.n_inputs


class _OfNumbers(_Of):
    """Compute other features, of numbers that `flat` makes."""

    @property
    def are_cells(self) -> bool:
        return self.of.are_cells

    def values(self, flat: FloatArray) -> FloatArray:
        return self.of.values(flat)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.of.of_all(flat)


@dataclass(frozen=True, eq=False)
class FromFeatures(_Of):
    """Map the features that *of* computes to as many others; derive classes from this. Not cells.

    A derived class defines `values` and `of_all`.
    """

    of: Features

    are_cells = False

    def flat(self, observation: Shown) -> FloatArray:
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

    factor: NotNegative

    def values(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.values(flat) * self.factor)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return np.asarray(self.of.of_all(flat) * self.factor)


@dataclass(frozen=True, eq=False)
class Select(_OfNumbers, named="Picked"):
    """Compute features *of* some numbers of an observation, each as often as it is named.

    places: indices of these numbers in the flattened observation. n: size of that observation.
    Raises DescriptionError if ``len(places) != of.n_inputs``.
    """

    of: Features
    places: tuple[int, ...]
    n: Annotated[int, Range(1, MAX_FEATURES)]

    def __post_init__(self) -> None:
        super().__post_init__()
        places = whole_numbers("Select.places", self.places, 0, self.n - 1)
        object.__setattr__(self, "places", places)
        if len(places) != self.of.n_inputs:
            got, limit = len(places), self.of.n_inputs
            what = "must be as many as the numbers of its features"
            raise DescriptionError("Select.places", what, got=got, limit=limit)

    @functools.cached_property
    def _index(self) -> IntArray:
        return np.array(self.places, dtype=np.int64)

    def flat(self, observation: Shown) -> FloatArray:
        return np.asarray(numbers_of("Select", observation, self.n)[self._index])


@dataclass(frozen=True, eq=False)
class SelectParts(Select, named="PickedParts"):
    """Do as `Select` for a Tuple or Dict, whose parts are flattened one after the other.

    keys: of these parts.
    """

    keys: Annotated[tuple[PartKey, ...], part_keys]

    def flat(self, observation: Shown) -> FloatArray:
        return super().flat(parts_in(observation, self.keys))


@dataclass(frozen=True, eq=False)
class SelectChanges(Select, named="PickedChanges"):
    """Do as `Select`, but replace some numbers by their change since the step before.

    before: for each of *places* the index of the number that shows the step before, in observations
    that hold earlier ones too; -1 where the number stays as it is.
    """

    before: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        before = whole_numbers("SelectChanges.before", self.before, -1, self.n - 1)
        object.__setattr__(self, "before", before)
        if len(before) != len(self.places):
            got, limit = len(before), len(self.places)
            what = "must be as many as the places"
            raise DescriptionError("SelectChanges.before", what, got=got, limit=limit)

    @functools.cached_property
    def _taken_off(self) -> tuple[BoolArray, IntArray]:
        """Return which of the places are changes, and the indices of their earlier numbers."""
        before = np.array(self.before, dtype=np.int64)
        return before >= 0, before[before >= 0]

    def flat(self, observation: Shown) -> FloatArray:
        numbers = np.asarray(observation, dtype=np.float64).ravel()
        picked = super().flat(numbers)
        is_change, earlier = self._taken_off
        picked[is_change] -= numbers[earlier]
        return picked


@dataclass(frozen=True, eq=False)
class BlockMeans(_OfNumbers, named="Pooled"):
    """Compute features *of* the means of blocks of an array, made by cutting each axis.

    shape: shape of the observation. blocks: how many along each axis, as even as possible.
    Raises DescriptionError unless ``of.n_inputs`` is the number of blocks.
    """

    of: Features
    shape: Sides
    blocks: Sides

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs = zip(self.blocks, self.shape, strict=False)
        if len(self.shape) != len(self.blocks) or any(n < b for b, n in pairs):
            what = "must be at most the shape, axis by axis"
            raise DescriptionError("BlockMeans.blocks", what, got=self.blocks, limit=self.shape)
        if not isinstance(self.of, (RangeFeatures, Raw)):
            kind = type(self.of).__name__
            raise DescriptionError("BlockMeans.of", "needs a range for each block", got=kind)
        n, limit = self.of.n_inputs, math.prod(self.blocks)
        if n != limit:
            raise DescriptionError("BlockMeans.of", "is of other numbers", got=n, limit=limit)

    def flat(self, observation: Shown) -> FloatArray:
        image = image_of("BlockMeans", observation, self.shape)
        return self.of.flat(pooled(image, self.blocks).ravel())


def pooled(numbers: FloatArray, blocks: tuple[int, ...]) -> FloatArray:
    """Return the mean of each block of an array, ``blocks`` of them along each axis."""
    for axis, n_blocks in enumerate(blocks):
        n = numbers.shape[axis]
        edges = np.arange(n_blocks + 1) * n // n_blocks
        if n_blocks < n:
            sizes = np.diff(edges).reshape(-1, *(1 for _ in numbers.shape[axis + 1 :]))
            numbers = np.add.reduceat(numbers, edges[:-1], axis=axis) / sizes
    return numbers


def blocks_for(shape: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return how many blocks along each axis give at most *most*: the longest axis halved first."""
    blocks = list(shape)
    while math.prod(blocks) > most:
        longest = blocks.index(max(blocks))
        blocks[longest] = -(-blocks[longest] // 2)
    return tuple(blocks)
