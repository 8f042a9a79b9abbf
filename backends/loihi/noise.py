"""Loihi's own noise in the emulator: its formula, its draws replaced by ours.

nengo-loihi draws from a generator with a state, in the order of compartments. Ours are a function
of seed, neuron and step, so replicas are independent, a state goes on exactly, and the reference
draws the same. A chip draws what it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.model import Places
from neurorl.chip_noise import UniformRows
from neurorl.quantiser import ChipPopulation
from neurorl.random import DrawRows

__all__ = ["NEEDED_FOR_NOISE", "OwnNoise"]

NEEDED_FOR_NOISE = ("compartment.noise.sample", "compartment.noise._uniform")
"""Attributes of an `EmulatorInterface` without which it can't be given draws."""


class OwnNoise:
    """The noise of one emulator's compartments.

    draws, chip, slices: of each population. joins_bias: the emulator's update is one without noise,
    which then gets it through the biases, where it is equal in every bit.
    """

    def __init__(
        self,
        compartment: Any,
        draws: Mapping[str, DrawRows],
        chip: Mapping[str, ChipPopulation],
        slices: Mapping[str, Places],
        *,
        joins_bias: bool,
    ) -> None:
        self._compartment = compartment
        self._draws = {
            name: rows
            for name, rows in draws.items()
            if isinstance(rows, UniformRows) and chip[name].noise_exponent
        }
        self._slices = slices
        self._joins_bias = joins_bias and bool(self._draws)
        self.bias: npt.NDArray[np.int32] = compartment.bias
        if self._joins_bias:
            self.bias = compartment.bias.copy()
        self._rows = self._drawn(0, 1)
        self._row = 0
        if self._draws:
            compartment.noise._uniform = self._uniform

    @property
    def draws(self) -> bool:
        """Whether it draws, in place of the emulator."""
        return bool(self._draws)

    def prepare(self, first_step: int, n_steps: int) -> None:
        """Draw for the next steps."""
        if self._draws:
            self._rows = self._drawn(first_step, n_steps)

    def take(self, row: int) -> None:
        """The next step is *row* of those prepared."""
        if not self._draws:
            return
        self._row = row
        if self._joins_bias:
            np.add(self.bias, self._compartment.noise.sample(None), out=self._compartment.bias)

    def _drawn(self, first_step: int, n_steps: int) -> npt.NDArray[np.int32]:
        rows = np.zeros((n_steps, len(self.bias)), dtype=np.int32)
        for name, draw in self._draws.items():
            rows[:, self._slices[name]] = [draw(first_step + k) for k in range(n_steps)]
        return rows

    def _uniform(self, rng: object) -> npt.NDArray[np.int32]:
        return np.asarray(self._rows[self._row])
