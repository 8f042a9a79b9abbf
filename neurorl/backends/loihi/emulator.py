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
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from neurorl.arithmetic.chip_noise import CoinRows, UniformRows, toss
from neurorl.arithmetic.quantiser import ChipPopulation
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
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.errors import BackendUnavailableError
from neurorl.numerics.arrays import Array, FloatArray, Int32Array
from neurorl.numerics.random import DrawRows

NEEDED_FOR_NOISE = ("compartment.noise.sample", "compartment.noise._uniform")
"""Name the attributes of an `EmulatorInterface` through which it gets random draws."""


class OwnNoise:
    """Supply the noise of one emulator's compartments.

    compartment: the emulator's compartments.
    draws: rows of draws by population; only `UniformRows` are used.
    chip: the integers of each population.
    slices: the indices of each population's compartments.

    bias: the array that biases are to be written to. row: of the prepared draws, for the next step.
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
        self.bias: Int32Array = compartment.bias
        self._rows = self._drawn(0, 1)
        self.row = 0
        if self._draws:
            compartment.noise._uniform = self._uniform

    def prepare(self, first_step: int, n_steps: int) -> None:
        """Draw for *n_steps* steps from *first_step* on."""
        if self._draws:
            self._rows = self._drawn(first_step, n_steps)

    def _drawn(self, first_step: int, n_steps: int) -> Int32Array:
        """Return draws for *n_steps*, int32 ``(n_steps, compartments)``; 0 without noise."""
        rows = np.zeros((n_steps, len(self.bias)), dtype=np.int32)
        for name, draw in self._draws.items():
            rows[:, self._slices[name]] = [draw(first_step + k) for k in range(n_steps)]
        return rows

    def _uniform(self, rng: object) -> Int32Array:
        """Return the current row; stands in for the emulator's method that draws."""
        return np.asarray(self._rows[self.row])


_FIRST = 1  # the emulator's t at the start
_CHUNK = 64  # steps whose thresholds are made at once; some of them may be of the next window
_NEVER = np.iinfo(np.int32).max  # a threshold that no voltage exceeds


class EmulatorEngine(ChipEngine):
    """Run a network on the emulator, with a wrapper around its compartment update.

    compiled, delays: the model, and the network with relays that it was compiled from.
    noise: draws of each population, in the form that its kind of noise needs.
    coins: draws of each source of coins.
    record: populations whose rasters `run` returns.
    seed: seed of the emulator's stochastic rounding.

    Raises BackendUnavailableError if this version of nengo-loihi lacks an attribute that is needed.
    """

    target: ClassVar[str] = "emulator"
    lends_memory: ClassVar[bool] = True

    def __init__(
        self,
        compiled: ChipModel,
        delays: RelayNetwork,
        noise: Mapping[str, DrawRows],
        coins: Mapping[str, CoinRows],
        record: tuple[str, ...],
        *,
        seed: int = 0,
    ) -> None:
        self._compiled = compiled
        self._record = record
        network, self._later, self._parts = delays.network, delays.later, delays.parts
        self._history = InputHistory(delays)
        self._populations = [p.name for p in network.populations if p.name in self._later]
        learning = {k: t for k, t in compiled.tables.items() if isinstance(t, LearningTable)}
        emulator = _checked_emulator(compiled, seed, bool(learning))
        compartment = emulator.compartment
        compartment._overflow = _wrap
        self._emulator, self._compartment = emulator, compartment
        self._update = compartment.update
        compartment.update = self._noisy_update
        self._noise = {k: draw for k, draw in noise.items() if compiled.chip[k].escapes}
        self._own_noise = OwnNoise(compartment, noise, compiled.chip, compiled.slices)
        self._learning = OnChipLearning(emulator, learning) if learning else None
        self._coins = coins
        self._toss()
        self._has_refractory = any((c.refractory > 1).any() for c in compiled.chip.values())
        # The wrapped update reads and writes these, one row a step.
        self._row = 0
        self._chunk_number, self._chunk = -1, np.empty((0, 0), dtype=np.int32)
        self._thresholds: Int32Array | None = None
        self._size = len(compartment.vth)
        self._spikes: Raster = np.empty((0, self._size), dtype=bool)

    def _noisy_update(self, rng: Any) -> None:
        """Update the compartments with this step's noise, and keep their spikes."""
        compartment, row = self._compartment, self._row
        self._own_noise.row = row
        if self._thresholds is not None:
            compartment.vth[:] = self._thresholds[row]
            if self._has_refractory:  # noise must not lift the voltage 0 of a dead step
                compartment.vth[compartment.ref_count > 0] = _NEVER
        self._update(rng)
        self._spikes[row] = compartment.spiked
        self._row = row + 1

    def _noisy_thresholds(self) -> Int32Array | None:
        """Return ``threshold - noise`` of the next steps, so v stays clean; None: no noise."""
        if not self._noise:
            return None
        number, row = divmod(self.steps, _CHUNK)
        if number != self._chunk_number:
            self._chunk_number, self._chunk = number, self._make_chunk(number * _CHUNK)
        return self._chunk[row:]

    def _make_chunk(self, first: int) -> Int32Array:
        """Return thresholds of `_CHUNK` steps from *first* on; silent twins get `_NEVER`."""
        chip = self._compiled.chip
        rows = np.full((_CHUNK, self._size), _NEVER, dtype=np.int32)
        for name, sl in self._compiled.slices.items():
            rows[:, sl] = chip[name].threshold
            if name in self._noise:
                drawn = self._noise[name].rows(first, _CHUNK)
                rows[:, sl] -= np.floor(chip[name].noise_width * drawn + 0.5).astype(np.int32)
        return rows

    @property
    def steps(self) -> int:
        return int(self._emulator.t) - _FIRST

    def _run_steps(self, errors: Errors, start: int, count: int) -> None:
        """Make *count* steps from row *start* on with the emulator's own loop."""
        if self._learning is None:
            self._emulator.run_steps(count)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of every weight and trace at its bound
            for k in range(start, start + count):
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
        spikes = np.empty((n_steps, self._size), dtype=bool)
        start = 0
        while start < n_steps:
            count = min(_CHUNK - self.steps % _CHUNK, n_steps - start)
            self._row, self._thresholds = 0, self._noisy_thresholds()
            self._own_noise.prepare(self.steps, count)
            self._spikes = spikes[start : start + count]
            self._run_steps(errors, start, count)
            start += count
        self._spikes = np.empty((0, self._size), dtype=bool)
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
        self._own_noise.bias[self._compiled.slices[population]] = bias

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
        del self._noise, self._own_noise, self._learning


def _wrap(x: Int32Array, bits: int, name: str | None = None) -> None:
    """Wrap *x* in place as the emulator does, without its warning: registers are meant to wrap."""
    overflow_signed(x, bits=bits, out=x)


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
