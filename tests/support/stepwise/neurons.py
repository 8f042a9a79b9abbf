"""Update neurons in both arithmetics, in NumPy. Read this to learn the semantics."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import CURRENT_BITS, VOLTAGE_MAX, ChipPopulation
from neurorl.backends.reference.node import DrawAll
from neurorl.network.neuron import Integrator

Array = npt.NDArray[Any]


class Neurons(abc.ABC):
    """Hold and update one population's current ``u``, voltage ``v`` and dead steps left.

    size: number of neurons of all replicas.
    refractory_steps: dead steps after a spike, ``(size,)``.
    """

    u: npt.NDArray[Any]
    v: npt.NDArray[Any]
    bias: npt.NDArray[Any]
    threshold: npt.NDArray[Any]

    def __init__(self, size: int, dtype: type, refractory_steps: npt.NDArray[np.int64]) -> None:
        self.u = np.zeros(size, dtype=dtype)
        self.v = np.zeros(size, dtype=dtype)
        self.dead = np.zeros(size, dtype=np.int64)
        self._refractory_steps = refractory_steps
        self._has_refractory = bool(refractory_steps.any())

    def update(self, q: npt.NDArray[Any], steps: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Make one step with input *q*; return which neurons spike, shape ``(size,)``.

        steps: the number of the step in each replica, for its noise.
        """
        self.u = self._current(q)
        self.v = self._membrane(steps)
        if self._has_refractory:
            self.v[self.dead > 0] = 0
        return self._spike(self._noisy(steps) > self.threshold)

    @abc.abstractmethod
    def _current(self, q: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the new ``u``."""

    @abc.abstractmethod
    def _membrane(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        """Return the new ``v``, as if no neuron were refractory."""

    @abc.abstractmethod
    def _noisy(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        """Return the membranes plus noise, which the threshold is compared with."""

    def _spike(self, over: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Reset the neurons that spike, count their dead steps, and return which do.

        over: which neurons are over threshold; changed in place.
        """
        if self._has_refractory:
            over &= self.dead == 0
            np.maximum(self.dead - 1, 0, out=self.dead)
            self.dead[over] = self._refractory_steps[over]
        self.v[over] = 0
        return over


class FloatNeurons(Neurons):
    """Update neurons by `neurorl.network.neuron.Integrator` in float64."""

    def __init__(self, dynamics: Integrator, noise: DrawAll) -> None:
        super().__init__(len(dynamics.bias), np.float64, dynamics.refractory_steps)
        self._d = dynamics
        self.bias, self.threshold = dynamics.bias, dynamics.threshold
        self._noise = noise if dynamics.noise_width.any() else None

    def _current(self, q: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(self._d.current_decay * self.u + q)

    def _membrane(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        return np.asarray(self._d.membrane_decay * self.v + self.u + self.bias)

    def _noisy(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        if self._noise is None:
            return self.v
        return np.asarray(self.v + self._d.noise_width * self._noise(steps))


class ChipNeurons(Neurons):
    """Update neurons in the chip's integers, bit for bit; see `neurorl.arithmetic.quantiser`."""

    def __init__(self, chip: ChipPopulation, noise: DrawAll) -> None:
        super().__init__(len(chip.bias), np.int64, chip.refractory - 1)
        self._chip = chip
        self.bias, self.threshold = chip.bias, chip.threshold
        self._noise = noise if chip.escapes else None
        self._own_noise = noise if chip.noise_exponent else None

    def _current(self, q: npt.NDArray[Any]) -> npt.NDArray[Any]:
        left = self._left(self.u, 4095 - self._chip.current_decay)
        return self._held(left + self._held(q, CURRENT_BITS), 23)

    def _membrane(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        change = self.u + self.bias
        if self._own_noise is not None:
            change = change + self._own_noise(steps).astype(np.int64) * self._chip.noise_step
        v = self._left(self.v, 4096 - self._chip.voltage_decay) + self._held(change, 23)
        return np.clip(v, -VOLTAGE_MAX, VOLTAGE_MAX)

    def _noisy(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        if self._noise is None:
            return self.v
        noise = np.floor(self._chip.noise_width * self._noise(steps) + 0.5).astype(np.int64)
        return np.asarray(self.v + noise)

    def _held(self, x: Array, bits: int) -> npt.NDArray[np.int64]:
        """Return *x* wrapped to a register of *bits* bits and a sign."""
        half = 1 << bits
        return np.asarray(((x + half) & (2 * half - 1)) - half)

    def _left(self, x: Array, factor: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return ``x * factor / 4096``, rounded towards zero."""
        return np.asarray(np.sign(x) * ((np.abs(x) * factor) >> 12))
