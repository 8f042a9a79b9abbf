"""Define what all features have in common."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from neurorl.errors import ArgumentError
from neurorl.models.agent.answers import AnswerChecks, Check, array
from neurorl.network.limits import MAX_FEATURES
from neurorl.network.serialization import Described, flag, positive
from neurorl.numerics.arrays import Array, FloatArray

__all__ = ["NARROWEST", "Features", "FromNumbers", "image_of", "numbers_of"]

NARROWEST = 1e-9


def _values(where: str, answer: Any, features: Features, seen: Any) -> Array:
    return _numbers(where, answer, features.size, seen)


def _flat(where: str, answer: Any, features: Features, seen: Any) -> Array:
    return _numbers(where, answer, features.n_inputs, seen)


def _rows(where: str, answer: Any, features: Features, flat: FloatArray) -> Array:
    for row, seen in zip(answer, flat, strict=True):
        _numbers(where, row, features.size, seen)
    return np.asarray(answer)


def _numbers(where: str, answer: Any, n: int, seen: Any) -> Array:
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

    def flat(self, observation: Any) -> FloatArray:
        """Return an observation as the numbers that `values` reads, ``(n_inputs,)``."""
        return self(observation)

    def values(self, flat: FloatArray) -> FloatArray:
        """Return the features of the numbers that `flat` returned."""
        return flat

    def of_all(self, flat: FloatArray) -> FloatArray:
        """Return the `values` of each row, ``(n, n_inputs) -> (n, size)``, the same bits."""
        return np.stack([self.values(row) for row in flat])

    @abc.abstractmethod
    def __call__(self, observation: Any) -> FloatArray:
        """Return the numbers of one observation; the array may be reused by the next call."""


class FromNumbers(Features):
    """Map the numbers of `flat` to features; by default observations are a vector or a number."""

    def flat(self, observation: Any) -> FloatArray:
        return np.asarray(observation, dtype=np.float64).ravel()

    def __call__(self, observation: Any) -> FloatArray:
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


def image_of(where: str, observation: object, shape: tuple[int, ...]) -> FloatArray:
    """Return an observation as an array of this shape. Raises ArgumentError for another size."""
    numbers = np.asarray(observation, dtype=np.float64)
    if numbers.size != math.prod(shape):
        what, got = "the observation has another shape", numbers.shape
        raise ArgumentError(where, what, got=got, limit=shape)
    return numbers.reshape(shape)
