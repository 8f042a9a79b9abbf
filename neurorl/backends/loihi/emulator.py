"""Run nengo-loihi's emulator with escape noise and exact restoring.

`vendor.NEEDED` lists every attribute of the emulator that this file touches;
``tests/backends/loihi/test_loihi_emulator.py`` fails if nengo-loihi changes what they do.

Time: the emulator drops whatever would arrive in its first step, so it starts as if it had made
one, ``emu.t = steps + 1``. A spike of a source in step s is labelled ``s + 2``, the emulator's
number of that step, and arrives in the next. The label of a window's last row stays in
`SpikeInput.spikes` until the next window.

nengo-loihi draws from a generator that has a state, in the order of compartments. Our draws are a
function of seed, neuron and step, so replicas are independent, a restored state goes on exactly,
and the reference draws the same numbers. A chip's own draws can't be chosen.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from neurorl.arithmetic.chip_noise import toss
from neurorl.backends.checks import Inputs
from neurorl.backends.loihi.delays import InputHistory, RelayNetwork
from neurorl.backends.loihi.engine import ChipEngine, Errors
from neurorl.backends.loihi.model import ChipModel, Places
from neurorl.backends.loihi.pes import NEEDED_FOR_PES, LearningTable, OnChipLearning
from neurorl.backends.loihi.vendor import (
    NEEDED,
    EmulatorInterface,
    missing,
    overflow_signed,
    version,
)
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.errors import BackendUnavailableError
from neurorl.numerics.arrays import Array, FloatArray, Int32Array

NEEDED_FOR_NOISE = ("compartment.noise.sample", "compartment.noise._uniform")
"""Name the attributes of an `EmulatorInterface` through which it gets random draws."""

_FIRST = 1  # the emulator's t at the start
_NEVER = np.iinfo(np.int32).max  # a threshold that no voltage exceeds


class EmulatorEngine(ChipEngine):
    """Run a network on the emulator, with a wrapper around its compartment update.

    compiled, delays: the model, and the network with relays that it was compiled from.
    simulated, replica: all replicas, without relays, and the number of this one.
    seed: seed of the emulator's stochastic rounding.

    Raises BackendUnavailableError if this version of nengo-loihi lacks an attribute that is needed.
    """

    target: ClassVar[str] = "emulator"
    lends_memory: ClassVar[bool] = True

    def __init__(
        self,
        compiled: ChipModel,
        delays: RelayNetwork,
        simulated: SimulatedNetwork,
        replica: int,
        seed: int,
    ) -> None:
        self._compiled, self._record = compiled, simulated.record
        self._coins = simulated.coin_rows(replica)
        populations = simulated.network.populations
        self._noise = {p.name: simulated.draws(p.name)[replica] for p in populations}
        network, self._later, self._parts = delays.network, delays.later, delays.parts
        self._history = InputHistory(delays)
        self._populations = [p.name for p in network.populations if p.name in self._later]
        learning = {k: t for k, t in compiled.tables.items() if isinstance(t, LearningTable)}
        emulator = _checked_emulator(compiled, seed, bool(learning))
        compartment = emulator.compartment
        # Registers are meant to wrap, so without the emulator's warning.
        compartment._overflow = lambda x, bits, name=None: overflow_signed(x, bits=bits, out=x)
        self._emulator, self._compartment = emulator, compartment
        # The wrapped update reads and writes these, one row a step.
        self._row, self._size = 0, len(compartment.vth)
        self._thresholds = self._drawn = np.empty((0, self._size), dtype=np.int32)
        self._spikes: Raster = np.empty((0, self._size), dtype=bool)
        self._update = compartment.update
        compartment.update = self._noisy_update
        chips = compiled.chip.values()
        self._has_escape_noise = any(chip.escapes for chip in chips)
        if any(chip.noise_exponent for chip in chips):
            compartment.noise._uniform = lambda rng: self._drawn[self._row]
        self._learning = OnChipLearning(emulator, learning) if learning else None
        self._toss()

    def _noisy_update(self, rng: Any) -> None:
        """Update the compartments with this step's noise, and keep their spikes."""
        compartment, row = self._compartment, self._row
        if self._has_escape_noise:
            compartment.vth[:] = self._thresholds[row]
            # Noise must not lift the voltage 0 of a dead step.
            compartment.vth[compartment.ref_count > 0] = _NEVER
        self._update(rng)
        self._spikes[row] = compartment.spiked
        self._row = row + 1

    def _prepare(self, n_steps: int) -> None:
        """Draw for the next steps: ``threshold - noise``, so v stays clean, or the chip's noise.

        Silent twins get the threshold `_NEVER`, and no noise.
        """
        shape, first, chip = (n_steps, self._size), self.steps, self._compiled.chip
        if self._has_escape_noise:
            self._thresholds = np.full(shape, _NEVER, dtype=np.int32)
        self._drawn = np.zeros(shape, dtype=np.int32)
        for name, places in self._compiled.slices.items():
            own, rows = chip[name], self._noise.get(name)
            if self._has_escape_noise:
                self._thresholds[:, places] = own.threshold
            if rows is not None and own.escapes:
                scaled = np.floor(own.noise_width * rows.rows(first, n_steps) + 0.5)
                self._thresholds[:, places] -= scaled.astype(np.int32)
            elif rows is not None and own.noise_exponent:
                self._drawn[:, places] = rows.rows(first, n_steps)

    @property
    def steps(self) -> int:
        return int(self._emulator.t) - _FIRST

    def _run_steps(self, errors: Errors, n_steps: int) -> None:
        """Make steps with the emulator's own loop."""
        if self._learning is None:
            self._emulator.run_steps(n_steps)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of every weight and trace at its bound
            for k in range(n_steps):
                self._learning.present({name: rows[k] for name, rows in errors.items()})
                self._emulator.step()

    def run(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        label = self._emulator.t + 1
        coins = toss(self._coins, self.steps + 1, n_steps)
        inputs = self._history.extend({**inputs, **coins}, n_steps)
        rasters = {
            i: np.ascontiguousarray(inputs[name]) for name, i in self._compiled.inputs.items()
        }
        for spike_input, raster in rasters.items():
            for k in range(n_steps):
                spiking = raster[k].nonzero()[0]
                if len(spiking):
                    spike_input.add_spikes(label + k, spiking)
        self._row, self._spikes = 0, np.empty((n_steps, self._size), dtype=bool)
        self._prepare(n_steps)
        self._run_steps(errors, n_steps)
        spikes, self._spikes = self._spikes, np.empty((0, self._size), dtype=bool)
        return {name: spikes[:, self._compiled.slices[name]].copy() for name in self._record}

    def reset(self) -> None:
        compartment = self._compartment
        compartment.current[:] = 0
        compartment.voltage[:] = 0
        compartment.ref_count[:] = 0
        compartment.spiked[:] = False
        for spike_input in self._compiled.inputs.values():
            spike_input.spikes.clear()
        for past in self._history.past.values():
            past[:] = False
        self._toss()
        if self._learning is not None:
            self._learning.reset()

    def _toss(self) -> None:
        """Schedule the coins that arrive in the next step."""
        for name, rows in toss(self._coins, self.steps, 1).items():
            self._history.past[name][-1] = rows[0]
            spike_input = self._compiled.inputs[name]
            spike_input.spikes.clear()
            spike_input.add_spikes(self._emulator.t, rows[0].nonzero()[0])

    def learned_weights(self, name: str) -> Int32Array:
        table = self._compiled.tables[name]
        assert isinstance(table, LearningTable)
        return table.transmitted()

    def write_weights(self, projection: str, weights: FloatArray, mantissa: Int32Array) -> None:
        for part, numbers in self._parts.get(projection, {projection: slice(None)}).items():
            self._compiled.tables[part].write(mantissa[numbers])

    def write_bias(self, population: str, bias: Array) -> None:
        self._compartment.bias[self._compiled.slices[population]] = bias

    def state(self) -> State:
        compartment = self._compartment
        state: State = {}
        for name, past in self._history.past.items():
            if name not in self._coins:
                state[f"{name}.spikes"] = past.copy()
        for name in self._populations:
            sl = self._compiled.slices[name]
            state[f"{name}.spikes"] = np.stack([compartment.spiked[s] for s in self._chain(name)])
            state[f"{name}.current"] = compartment.current[sl].astype(np.int64)
            state[f"{name}.voltage"] = compartment.voltage[sl].astype(np.int64)
            state[f"{name}.refractory"] = compartment.ref_count[sl].astype(np.int64)
        return state if self._learning is None else state | self._learning.state()

    def restore(self, state: State) -> None:
        compartment = self._compartment
        self._emulator.t = int(state["t"]) + _FIRST
        for name, past in self._history.past.items():
            if name not in self._coins:
                past[:] = state[f"{name}.spikes"]
        for name, row in self._history.pending().items():
            spike_input = self._compiled.inputs[name]
            spike_input.spikes.clear()
            spike_input.add_spikes(self._emulator.t, row.nonzero()[0])
        self._toss()
        for name in self._populations:
            sl = self._compiled.slices[name]
            for part, row in zip(self._chain(name), state[f"{name}.spikes"], strict=True):
                compartment.spiked[part] = row
            compartment.current[sl] = state[f"{name}.current"]
            compartment.voltage[sl] = state[f"{name}.voltage"]
            compartment.ref_count[sl] = state[f"{name}.refractory"]
        if self._learning is not None:
            self._learning.restore(state)

    def _chain(self, population: str) -> list[Places]:
        """Return the compartments of a population's last spikes, oldest relay first, itself last.

        The rest of a relay's state needs no saving, as it is forgotten within the step.
        """
        names = [*reversed(self._later[population].values()), population]
        return [self._compiled.slices[name] for name in names]

    def close(self) -> None:
        """Close the emulator, and drop all references to it."""
        self._emulator.close()
        # The wrapped update refers to this object and back; without the cycle both go at once.
        self._compartment.update = None
        del self._emulator, self._compartment, self._update, self._compiled
        del self._noise, self._learning


def _checked_emulator(compiled: ChipModel, seed: int, learns: bool) -> EmulatorInterface:
    """Return the emulator of a model, with all the attributes that are used here."""
    with np.errstate(invalid="ignore"):  # it fills integer arrays with nan, then overwrites them
        emulator = EmulatorInterface(compiled.model, seed=seed & 0x7FFFFFFF)
    lacks = missing(emulator, NEEDED + NEEDED_FOR_NOISE + (NEEDED_FOR_PES if learns else ()))
    if lacks:
        what, remedy = f"nengo-loihi {version()} has no", "pip install 'nengo-loihi>=1.1,<2'"
        what += f" {', '.join(lacks)}"
        raise BackendUnavailableError("backend loihi", what, remedy=remedy)
    emulator.t = _FIRST
    return emulator
