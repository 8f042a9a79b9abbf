"""Give the emulator Loihi's own noise: its formula, with this package's reproducible draws.

nengo-loihi draws from a generator that has a state, in the order of compartments. Our draws are a
function of seed, neuron and step, so replicas are independent, a restored state goes on exactly,
and the reference draws the same numbers. A chip's own draws can't be chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import UniformRows
from neurorl.arithmetic.quantiser import ChipPopulation
from neurorl.backends.loihi.model import Places
from neurorl.numerics.random import DrawRows

NEEDED_FOR_NOISE = ("compartment.noise.sample", "compartment.noise._uniform")
"""Name the attributes of an `EmulatorInterface` through which it gets random draws."""


class OwnNoise:
    """Supply the noise of one emulator's compartments.

    compartment: the emulator's compartments.
    draws: rows of draws by population; only `UniformRows` are used.
    chip: the integers of each population.
    slices: the indices of each population's compartments.

    bias: the array that biases are to be written to.
    """

    def __init__(
        self,
        compartment: Any,
        draws: Mapping[str, DrawRows],
        chip: Mapping[str, ChipPopulation],
        slices: Mapping[str, Places],
    ) -> None:
        self._draws = {
            name: rows
            for name, rows in draws.items()
            if isinstance(rows, UniformRows) and chip[name].noise_exponent
        }
        self._slices = slices
        self.bias: npt.NDArray[np.int32] = compartment.bias
        self._rows = self._drawn(0, 1)
        self._row = 0
        if self._draws:
            compartment.noise._uniform = self._uniform

    def prepare(self, first_step: int, n_steps: int) -> None:
        """Draw for *n_steps* steps from *first_step* on."""
        if self._draws:
            self._rows = self._drawn(first_step, n_steps)

    def take(self, row: int) -> None:
        """Use *row* of the prepared draws in the next step."""
        self._row = row

    def _drawn(self, first_step: int, n_steps: int) -> npt.NDArray[np.int32]:
        """Return draws for *n_steps*, int32 ``(n_steps, compartments)``; 0 without noise."""
        rows = np.zeros((n_steps, len(self.bias)), dtype=np.int32)
        for name, draw in self._draws.items():
            rows[:, self._slices[name]] = [draw(first_step + k) for k in range(n_steps)]
        return rows

    def _uniform(self, rng: object) -> npt.NDArray[np.int32]:
        """Return the current row; stands in for the emulator's method that draws."""
        return np.asarray(self._rows[self._row])
