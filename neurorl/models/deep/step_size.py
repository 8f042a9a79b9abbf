"""Scale the step of each synapse."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from neurorl.models.agent.answers import Check, like_first
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import NotNegative, Range
from neurorl.numerics.arrays import Array
from neurorl.numerics.elementary import exp


@dataclass(frozen=True, eq=False)
class StepSize(Part, abc.ABC):
    """Turn the learning signal g of each synapse into its step; derive step sizes from this class.

    A weight changes by ``alpha rate step``. All arrays are float32, a row for each presynaptic
    neuron whose trace lives.
    """

    answers: ClassVar[Mapping[str, Check]] = {"steps": like_first}
    _place = "agent.trunk.step_size"

    @abc.abstractmethod
    def steps(self, signal: Array, mean_square: Array, decisions: int) -> Array:
        """Return the steps of synapses.

        signal: g, ``(rows, n)``. mean_square: of the same shape, changed in place, initially 0.
        decisions: how many the agent learned from before this one.
        """

    def fade(self, mean_square: Array, decisions: Array) -> None:
        """Let the *mean_square* of rows that were silent for so many *decisions* decay, in place.

        mean_square: ``(rows, n)``. decisions: ``(rows,)``.
        """


@dataclass(frozen=True, eq=False)
class Plain(StepSize, called="plain", kernel="plain"):
    """Take the signal itself as the step."""

    def steps(self, signal: Array, mean_square: Array, decisions: int) -> Array:
        return signal


@dataclass(frozen=True, eq=False)
class ClippedStep(StepSize, called="bounded", kernel="bounded"):
    """Clip the signal of each synapse to +-limit: one bound for all, however rare their inputs."""

    limit: NotNegative = 1.0

    def steps(self, signal: Array, mean_square: Array, decisions: int) -> Array:
        limit = np.float32(self.limit)
        return np.asarray(np.minimum(np.maximum(signal, -limit), limit))


@dataclass(frozen=True, eq=False)
class RootMeanSquare(StepSize, called="root-mean-square", kernel="root-mean-square"):
    """Divide the signal of each synapse by the running root of its own mean square.

    ``h <- keep h + (1 - keep) g**2`` and ``step = g / sqrt(h / (1 - keep**(t + 1)) + floor)``, each
    operation rounded to float32, in the order ``keep h + ((1 - keep) g) g``. While a synapse's
    trace is silent only h decays, at once when it wakes.
    keep: in (0, 1). floor: > 0. Source: RMSProp (Tieleman & Hinton, 2012) with Adam's correction of
    the first steps.
    """

    keep: Annotated[float, Range(1e-6, 1.0 - 1e-9)] = 0.999
    floor: Annotated[float, Range(1e-30)] = 1e-8

    @property
    def log_keep(self) -> float:
        """Return the logarithm of *keep*."""
        return math.log(self.keep)

    def correction(self, decisions: int) -> np.float32:
        """Return ``1 / (1 - keep**(decisions + 1))``."""
        return np.float32(1.0 / (1.0 - float(exp((decisions + 1.0) * self.log_keep))))

    def steps(self, signal: Array, mean_square: Array, decisions: int) -> Array:
        keep, rest = np.float32(self.keep), np.float32(1.0 - self.keep)
        mean_square[...] = keep * mean_square + (rest * signal) * signal
        scaled = mean_square * self.correction(decisions) + np.float32(self.floor)
        return np.asarray(signal / np.sqrt(scaled))

    def fade(self, mean_square: Array, decisions: Array) -> None:
        left = exp(decisions * self.log_keep).astype(np.float32)
        mean_square *= left[:, None]


STEP_SIZES = Registry("step_size", StepSize, RootMeanSquare, Plain, ClippedStep)  # type: ignore[type-abstract]
"""Map the name of each step size to its class; ``STEP_SIZES.register`` adds one."""
