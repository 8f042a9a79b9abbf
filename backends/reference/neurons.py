"""The neuron's update in both arithmetics, in NumPy. Read this to learn the semantics."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.reference.noise import ReplicaNoise
from neurorl.description import Dynamics
from neurorl.quantiser import CURRENT_BITS, VOLTAGE_MAX, ChipPopulation

__all__ = ["ChipNeurons", "FloatNeurons", "Neurons"]

Array = npt.NDArray[Any]


class Neurons(abc.ABC):
    """State and update of one population: current ``u``, voltage ``v``, dead steps left."""

    u: npt.NDArray[Any]
    v: npt.NDArray[Any]

    def __init__(self, size: int, dtype: type, refractory_steps: npt.NDArray[np.int64]) -> None:
        self.u = np.zeros(size, dtype=dtype)
        self.v = np.zeros(size, dtype=dtype)
        self.dead = np.zeros(size, dtype=np.int64)
        self._refractory_steps = refractory_steps
        self._has_refractory = bool(refractory_steps.any())

    @abc.abstractmethod
    def update(self, q: npt.NDArray[Any], steps: Sequence[int]) -> npt.NDArray[np.bool_]:
        """One step with input *q*; returns which neurons spike, shape ``(size,)``.

        steps: the number of the step in each replica, for its noise.
        """

    def _spike(self, over: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Refractory times and the reset, given which neurons are over threshold."""
        if self._has_refractory:
            over &= self.dead == 0
            np.maximum(self.dead - 1, 0, out=self.dead)
            self.dead[over] = self._refractory_steps[over]
        self.v[over] = 0
        return over


class FloatNeurons(Neurons):
    """`neurorl.description.Dynamics` in float64."""

    def __init__(self, dynamics: Dynamics, noise: ReplicaNoise) -> None:
        super().__init__(len(dynamics.bias), np.float64, dynamics.refractory_steps)
        self._d = dynamics
        self.bias: npt.NDArray[Any] = dynamics.bias
        self._noise = noise if dynamics.noise_width.any() else None

    def update(self, q: npt.NDArray[Any], steps: Sequence[int]) -> npt.NDArray[np.bool_]:
        d = self._d
        self.u = d.current_decay * self.u + q
        self.v = d.membrane_decay * self.v + self.u + self.bias
        if self._has_refractory:
            self.v[self.dead > 0] = 0
        if self._noise is None:
            return self._spike(self.v > d.threshold)
        return self._spike(self.v + d.noise_width * self._noise(steps) > d.threshold)


class ChipNeurons(Neurons):
    """The chip's integers, bit for bit; see `neurorl.quantiser`."""

    def __init__(self, chip: ChipPopulation, noise: ReplicaNoise) -> None:
        super().__init__(len(chip.bias), np.int64, chip.refractory - 1)
        self._chip = chip
        self.bias: npt.NDArray[Any] = chip.bias
        self._noise = noise if chip.escapes else None
        self._own_noise = noise if chip.noise_exponent else None

    def update(self, q: npt.NDArray[Any], steps: Sequence[int]) -> npt.NDArray[np.bool_]:
        chip = self._chip
        self.u = _wrap(_decay(self.u, 4095 - chip.current_decay) + _wrap(q, CURRENT_BITS), 23)
        change = self.u + self.bias
        if self._own_noise is not None:
            change = change + self._own_noise(steps).astype(np.int64) * chip.noise_step
        self.v = _decay(self.v, 4096 - chip.voltage_decay) + _wrap(change, 23)
        np.clip(self.v, -VOLTAGE_MAX, VOLTAGE_MAX, out=self.v)
        if self._has_refractory:
            self.v[self.dead > 0] = 0
        if self._noise is None:
            return self._spike(self.v > chip.threshold)
        noise = np.floor(chip.noise_width * self._noise(steps) + 0.5).astype(np.int64)
        return self._spike(self.v + noise > chip.threshold)


def _wrap(x: Array, bits: int) -> npt.NDArray[np.int64]:
    """*x* as it overflows in a register of *bits* and a sign."""
    half = 1 << bits
    return np.asarray(((x + half) & (2 * half - 1)) - half)


def _decay(x: Array, factor: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """``x * factor / 4096``, rounded towards zero."""
    return np.asarray(np.sign(x) * ((np.abs(x) * factor) >> 12))
