"""Run nengo-loihi's emulator with escape noise and exact restoring.

``tests/backends/loihi/test_loihi_emulator.py`` fails if nengo-loihi changes what this relies on.

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
from typing import ClassVar

import numpy as np

from neurorl.arithmetic.chip_noise import toss
from neurorl.backends.checks import Errors, Inputs
from neurorl.backends.loihi.delays import InputHistory, RelayNetwork
from neurorl.backends.loihi.engine import ChipEngine
from neurorl.backends.loihi.model import ChipModel, Places
from neurorl.backends.loihi.pes import LearningTable, OnChipLearning
from neurorl.backends.loihi.vendor import EmulatorInterface
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.numerics.arrays import Array, FloatArray, Int32Array

_VARIABLES = {"current": "current", "voltage": "voltage", "refractory": "ref_count"}
_FIRST = 1  # the emulator's t at the start
_NEVER = np.iinfo(np.int32).max  # a threshold that no voltage exceeds


class EmulatorEngine(ChipEngine):
    """Run a network on the emulator, step by step.

    compiled, delays: the model, and the network with relays that it was compiled from.
    simulated, replica: all replicas, without relays, and the number of this one.
    seed: seed of the emulator's stochastic rounding.
    """

    target: ClassVar[str] = "emulator"
    lends_memory: ClassVar[bool] = True
    _drawn: Int32Array  # the chip's noise of a step

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
        with np.errstate(invalid="ignore"):  # it fills integer arrays with nan, then overwrites
            emulator = EmulatorInterface(compiled.model, seed=seed & 0x7FFFFFFF)
        emulator.t = _FIRST
        self._emulator, self._compartment = emulator, emulator.compartment
        chips = compiled.chip.values()
        self._has_escape_noise = any(chip.escapes for chip in chips)
        if any(chip.noise_exponent for chip in chips):
            self._compartment.noise._uniform = lambda rng: self._drawn
        self._learning = OnChipLearning(emulator, learning) if learning else None
        self._toss()

    def _noise_of(self, n_steps: int) -> tuple[Int32Array, Int32Array]:
        """Draw for the next steps: ``threshold - noise``, so v stays clean, and the chip's noise.

        Silent twins get the threshold `_NEVER`, and no noise.
        """
        shape, first = (n_steps, len(self._compartment.vth)), self.steps
        thresholds, drawn = np.full(shape, _NEVER, np.int32), np.zeros(shape, np.int32)
        for name, places in self._compiled.slices.items():
            own, rows = self._compiled.chip[name], self._noise.get(name)
            thresholds[:, places] = own.threshold
            if rows is not None and own.escapes:
                scaled = np.floor(own.noise_width * rows.rows(first, n_steps) + 0.5)
                thresholds[:, places] -= scaled.astype(np.int32)
            elif rows is not None and own.noise_exponent:
                drawn[:, places] = rows.rows(first, n_steps)
        return thresholds, drawn

    @property
    def steps(self) -> int:
        return int(self._emulator.t) - _FIRST

    def _run_steps(self, errors: Errors, n_steps: int) -> Raster:
        """Make steps, and return the spikes of all compartments."""
        compartment, (thresholds, drawn) = self._compartment, self._noise_of(n_steps)
        spikes = np.empty(thresholds.shape, dtype=bool)
        with warnings.catch_warnings():
            # It warns of registers that wrap, as they are meant to, and of all at its bounds.
            warnings.simplefilter("ignore")
            for k in range(n_steps):
                if self._learning is not None:
                    self._learning.present({name: rows[k] for name, rows in errors.items()})
                if self._has_escape_noise:  # it must not lift the voltage 0 of a dead step
                    compartment.vth[:] = np.where(compartment.ref_count > 0, _NEVER, thresholds[k])
                self._drawn = drawn[k]
                self._emulator.step()
                spikes[k] = compartment.spiked
        return spikes

    def run(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        label = self._emulator.t + 1
        coins = toss(self._coins, self.steps + 1, n_steps)
        inputs = self._history.extend({**inputs, **coins}, n_steps)
        for name, spike_input in self._compiled.inputs.items():
            raster = np.ascontiguousarray(inputs[name])
            for k in range(n_steps):
                spiking = raster[k].nonzero()[0]
                if len(spiking):
                    spike_input.add_spikes(label + k, spiking)
        spikes = self._run_steps(errors, n_steps)
        return {name: spikes[:, self._compiled.slices[name]].copy() for name in self._record}

    def reset(self) -> None:
        compartment = self._compartment
        for own in (*_VARIABLES.values(), "spiked"):
            getattr(compartment, own)[:] = 0
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
            self._schedule(name, rows[0])

    def _schedule(self, name: str, row: Array) -> None:
        """Let these spikes of an input arrive in the next step, and no others."""
        spike_input = self._compiled.inputs[name]
        spike_input.spikes.clear()
        spike_input.add_spikes(self._emulator.t, row.nonzero()[0])

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
            for key, own in _VARIABLES.items():
                state[f"{name}.{key}"] = getattr(compartment, own)[sl].astype(np.int64)
        return state if self._learning is None else state | self._learning.state()

    def restore(self, state: State) -> None:
        compartment = self._compartment
        self._emulator.t = int(state["t"]) + _FIRST
        for name, past in self._history.past.items():
            if name not in self._coins:
                past[:] = state[f"{name}.spikes"]
        for name, row in self._history.pending().items():
            self._schedule(name, row)
        self._toss()
        for name in self._populations:
            sl = self._compiled.slices[name]
            for part, row in zip(self._chain(name), state[f"{name}.spikes"], strict=True):
                compartment.spiked[part] = row
            for key, own in _VARIABLES.items():
                getattr(compartment, own)[sl] = state[f"{name}.{key}"]
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
        del self._emulator, self._compartment, self._compiled, self._noise, self._learning
