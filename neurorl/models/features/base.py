"""Define what all features have in common, and those that scale a vector with ranges."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from neurorl.errors import ArgumentError, DescriptionError, quoted
from neurorl.models.agent.answers import AnswerChecks, Check, array
from neurorl.network.limits import MAX_FEATURES, refuse_units
from neurorl.network.serialization import Described, Range, flag, frozen_array, positive
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.storage.plain import real_array
from neurorl.tasks.kinds import Shown

NARROWEST = 1e-9
Sides = Annotated[tuple[int, ...], Range(1, 2**53)]


def _values(where: str, answer: object, features: Features, seen: object) -> Array:
    return _numbers(where, answer, features.size, seen)


def _flat(where: str, answer: object, features: Features, seen: object) -> Array:
    return _numbers(where, answer, features.n_inputs, seen)


def _rows(where: str, answer: Any, features: Features, flat: FloatArray) -> Array:
    for row, seen in zip(answer, flat, strict=True):
        _numbers(where, row, features.size, seen)
    return np.asarray(answer)


def _numbers(where: str, answer: object, n: int, seen: object) -> Array:
    """Return n numbers, finite if *seen* is finite (other checks report it if it isn't)."""
    given = seen if isinstance(seen, (np.ndarray, int, float)) else np.nan
    if np.asarray(given).dtype.kind in "biuf" and np.isfinite(given).all():
        return array(where, answer, (n,))
    array(where, np.nan_to_num(np.asarray(answer, dtype=float)), (n,))
    return np.asarray(answer)


class Features(AnswerChecks, Described, abc.ABC):
    """Map observations to ``(size,)`` numbers."""

    answers: ClassVar[Mapping[str, Check]] = {
        "values": _values,
        "flat": _flat,
        "__call__": _values,
        "of_all": _rows,
    }
    attributes: ClassVar[Mapping[str, Check]] = {
        "are_cells": flag,
        "size": functools.partial(positive, most=MAX_FEATURES),
        "n_inputs": functools.partial(positive, most=MAX_FEATURES),
    }

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

    def flat(self, observation: Shown) -> FloatArray:
        """Return an observation as the numbers that `values` reads, ``(n_inputs,)``."""
        return self(observation)

    def values(self, flat: FloatArray) -> FloatArray:
        """Return the features of the numbers that `flat` returned."""
        return flat

    def of_all(self, flat: FloatArray) -> FloatArray:
        """Return the `values` of each row, ``(n, n_inputs) -> (n, size)``, the same bits."""
        return np.stack([self.values(row) for row in flat])

    @abc.abstractmethod
    def __call__(self, observation: Shown) -> FloatArray:
        """Return the numbers of one observation; the array may be reused by the next call."""


class FromNumbers(Features):
    """Map the numbers of `flat` to features; by default observations are a vector or a number."""

    def flat(self, observation: Shown) -> FloatArray:
        return np.asarray(observation, dtype=np.float64).ravel()

    def __call__(self, observation: Shown) -> FloatArray:
        return self.values(self.flat(observation))

    @abc.abstractmethod
    def values(self, flat: FloatArray) -> FloatArray: ...


def numbers_of(where: str, observation: object, n: int) -> FloatArray:
    """Return the *n* numbers of an observation, flattened. Raises ArgumentError for others."""
    numbers = np.asarray(observation, dtype=np.float64).ravel()
    if len(numbers) != n:
        what = "the observation has another size"
        raise ArgumentError(where, what, got=len(numbers), limit=n)
    return numbers


PartKey = str | int | tuple[str | int, ...]
"""Name a part of a Dict by its key, of a Tuple by its place, and a part of a part by both."""


def part_keys(where: str, keys: object) -> tuple[PartKey, ...]:
    """Return the keys of parts; a file holds a list of keys for each part of a part.

    Raises DescriptionError for what is no list or tuple.
    """
    if not isinstance(keys, (list, tuple)):
        raise DescriptionError(where, "must be a tuple", got=quoted(keys))
    return tuple(tuple(key) if isinstance(key, list) else key for key in keys)


def part_at(observation: Shown, key: PartKey) -> Shown:
    """Return one part of an observation."""
    for each in key if isinstance(key, tuple) else (key,):
        observation = observation[each]
    return observation


def parts_in(observation: Shown, keys: Sequence[PartKey]) -> Shown:
    """Return the parts of a Dict or Tuple, flattened one after the other, ``(n,)``.

    keys: of the parts; without any, an observation stays as it is, and so does an array, in which
    memories have put the parts together.
    """
    if not keys or isinstance(observation, np.ndarray):
        return observation
    return np.concatenate([np.ravel(part_at(observation, key)) for key in keys])


def image_of(where: str, observation: object, shape: tuple[int, ...]) -> FloatArray:
    """Return an observation as an array of this shape. Raises ArgumentError for another size."""
    numbers = np.asarray(observation, dtype=np.float64)
    if numbers.size != math.prod(shape):
        what, got = "the observation has another shape", numbers.shape
        raise ArgumentError(where, what, got=got, limit=shape)
    return numbers.reshape(shape)


@dataclass(frozen=True, eq=False)
class RangeFeatures(FromNumbers):
    """Map a vector with a range for each dimension to features.

    low, high: ``(d,)``; a dimension in which either is infinite is squashed to (0, 1) by
    ``(1 + x / (1 + |x|)) / 2``, any other is scaled to [0, 1] and clipped.
    """

    low: Any
    high: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = (self._bound(name) for name in ("low", "high"))
        if low.shape != high.shape:
            what = "low and high are of different lengths"
            got, limit = len(high), len(low)
            raise DescriptionError(f"{type(self).__name__}.high", what, got=got, limit=limit)
        bounded = np.isfinite(low) & np.isfinite(high)
        # NaN is not JSON; 0 and 0 mark a dimension without a range.
        low, high = np.where(bounded, low, 0.0), np.where(bounded, high, 0.0)
        if (low > high).any():
            raise DescriptionError(f"{type(self).__name__}.high", "must not be below low")
        object.__setattr__(self, "low", frozen_array("low", low, low.shape))
        object.__setattr__(self, "high", frozen_array("high", high, low.shape))

    def _bound(self, name: str) -> FloatArray:
        where, value = f"{type(self).__name__}.{name}", getattr(self, name)
        refuse_units(where, value)
        return real_array(where, value).ravel()

    @property
    def n_inputs(self) -> int:
        return len(self.low)

    def __call__(self, observation: Shown) -> FloatArray:
        numbers = self.flat(observation)  # of another size, one may be taken for each dimension
        return self.values(numbers_of(type(self).__name__, numbers, self.n_inputs))

    def unit(self, flat: FloatArray) -> FloatArray:
        """Scale an observation to [0, 1]; shape of *flat*, ``(..., d)``."""
        return scaled_to_one(flat, self.low, self.gain, self.squashed)

    @functools.cached_property
    def squashed(self) -> BoolArray:
        """Return which dimensions have no range."""
        return np.asarray(self.high == self.low)

    @functools.cached_property
    def gain(self) -> FloatArray:
        """Return 1 over the range of each dimension."""
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / np.where(self.squashed, 1.0, self.high - self.low))


def scaled_to_one(
    flat: FloatArray, low: FloatArray, gain: FloatArray, squashed: BoolArray
) -> FloatArray:
    """Scale numbers to [0, 1], as `RangeFeatures` says; shape of *flat*, ``(..., d)``.

    low, gain, squashed: for each dimension, ``(d,)``, as in `RangeFeatures`.
    """
    scaled = (flat - low) * gain
    if squashed.any():
        x = flat[..., squashed]
        scaled[..., squashed] = 0.5 + 0.5 * x / (1.0 + np.abs(x))
    return np.asarray(np.minimum(np.maximum(scaled, 0.0), 1.0))


@dataclass(frozen=True, eq=False)
class Raw(Features):
    """See the n numbers of an array, one after the other, each divided by *unit*.

    n: numbers of an observation. unit: such as 255 for bytes of an image, > 0. usual: of each
    channel of an image, such as a white background; then numbers are how far they are from it.
    """

    n: Annotated[int, Range(1, MAX_FEATURES)]
    unit: Annotated[float, Range(1e-30)] = 1.0
    usual: Annotated[tuple[float, ...], Range(-1e30, 1e30)] = ()

    are_cells = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.usual and self.n % len(self.usual):
            what, limit = "of another number of channels", f"a divisor of {self.n}"
            raise DescriptionError("Raw.usual", what, got=len(self.usual), limit=limit)

    @property
    def size(self) -> int:
        return self.n

    def __call__(self, observation: Shown) -> FloatArray:
        numbers = numbers_of("Raw", observation, self.n)
        if self.usual:
            numbers = np.abs(numbers - np.resize(self.usual, self.n))
        return numbers / self.unit
