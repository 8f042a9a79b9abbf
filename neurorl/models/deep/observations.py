"""Bring the numbers of an observation into the range of a source's channels."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from neurorl.models.agent.answers import Check, array, whole_number
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import Range
from neurorl.numerics.arrays import FloatArray


def _activation(
    where: str, answer: object, part: Observations, seen: FloatArray, *_: object
) -> Any:
    return array(where, answer, (part.channels(len(seen)),), 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Observations(Part, abc.ABC):
    """Turn n numbers into activations of channels; derive such maps from this class."""

    answers: ClassVar[Mapping[str, Check]] = {
        "channels": whole_number(1),
        "activation": _activation,
    }
    _place = "agent.trunk.observations"

    @abc.abstractmethod
    def channels(self, n: int) -> int:
        """Return how many channels n numbers need."""

    def heard(self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int) -> None:
        """Take n numbers into running statistics ``(n,)``, in place; *count* were seen before."""

    @abc.abstractmethod
    def activation(
        self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int
    ) -> FloatArray:
        """Return activations in [0, 1], ``(channels(n),)``; *count* were heard."""


@dataclass(frozen=True, eq=False)
class AsSeen(Observations, called="as-seen", kernel="as-seen"):
    """Take numbers that are activations already, clipped to [0, 1]."""

    def channels(self, n: int) -> int:
        return n

    def activation(
        self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int
    ) -> FloatArray:
        return np.asarray(np.minimum(np.maximum(seen, 0.0), 1.0))


@dataclass(frozen=True, eq=False)
class Standardised(Observations, called="standardised", kernel="standardised"):
    """Measure each number from its running mean in running deviations, a channel for each side.

    ``z = (x - mean) / sqrt(variance + floor)`` over all that was heard; channel i has
    ``max(z, 0) / limit``, channel n + i ``max(-z, 0) / limit``, at most 1.
    limit: deviations of full activation, > 0. floor: a variance, > 0, far below which a number
    counts as constant. Source: Welford 1962 for the running variance.
    """

    limit: Annotated[float, Range(1e-6)] = 5.0
    floor: Annotated[float, Range(1e-300)] = 1e-8

    def channels(self, n: int) -> int:
        return 2 * n

    def heard(self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int) -> None:
        off = seen - mean
        mean += off / (count + 1.0)
        square += off * (seen - mean)

    def activation(
        self, seen: FloatArray, mean: FloatArray, square: FloatArray, count: int
    ) -> FloatArray:
        variance = square / (count - 1.0) if count > 1 else np.ones(len(square))
        z = (seen - mean) / np.sqrt(variance + self.floor)
        two_sided = np.maximum(np.concatenate([z, -z]), 0.0)
        return np.asarray(np.minimum(two_sided / self.limit, 1.0))


OBSERVATIONS = Registry("observations", Observations, AsSeen, Standardised)  # type: ignore[type-abstract]
"""Map the name of each way to see observations to its class; ``OBSERVATIONS.register`` adds one."""
