"""Run the chip's integers by the network's own program, in place of nengo-loihi's emulator.

The emulator makes an object for every spike. Its results are those of the program, in every bit,
so it stays the witness, as the engine ``'stock'``; nengo-loihi still builds, places and checks the
model.

PES learns so too, in every bit and with the same random draws: nengo-loihi's own loop rounds row by
row; here whole tables are rounded.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import Errors, Inputs
from neurorl.backends.loihi.engine import ChipEngine
from neurorl.backends.loihi.model import ChipModel
from neurorl.backends.loihi.pes import ERROR_SCALE, WORDS, LearningPart, LearningTable
from neurorl.backends.loihi.synapses import shifted
from neurorl.backends.native import NativeSimulator
from neurorl.backends.programmed import ProgramSimulator
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.native import toolchain
from neurorl.numerics.arrays import Array, FloatArray, Int32Array

FIRST = 2
"""Number the first step as the emulator does."""
WEIGHT_STEPS = 4
"""Count the steps from one that learns to the next; those learn whose number it divides."""
_TRACE_STEPS = 2
_TRACE_MAX, _MANTISSA_MAX = 127, 127
_NOISE = 127  # the emulator draws noise from -127..127


class QuickPes:
    """Hold the traces of one replica's synapses that learn, and change their tables.

    compiled: nengo-loihi's model. tables: the weights, by projection. seed: of the generator, from
    which the emulator draws noise for its compartments, too, unless it has draws of ours.
    """

    def __init__(self, compiled: ChipModel, tables: Mapping[str, LearningTable], seed: int) -> None:
        self._rng = np.random.RandomState(seed & 0x7FFFFFFF)
        blocks = compiled.model.blocks
        has_own = any(population.noise_exponent for population in compiled.chip.values())
        self._n_noise = 0 if has_own else sum(block.n_neurons for block in blocks)
        named = {
            id(part.synapse): (name, part) for name, table in tables.items() for part in table.parts
        }
        # In the emulator's order, in which it draws numbers.
        synapses = [synapse for block in blocks for synapse in block.synapses]
        self._parts = [named[id(synapse)] for synapse in synapses if id(synapse) in named]
        counts = [len(part.data) for _, part in self._parts]
        ends = zip(self._parts, counts, itertools.accumulate(counts), strict=True)
        self._axons = {id(part): slice(end - count, end) for (_, part), count, end in ends}
        self._tables, self._n_weights = tables, sum(part.data.size for _, part in self._parts)
        self._trace = np.zeros(sum(counts), dtype=np.int32)
        self._came = np.zeros(sum(counts), dtype=bool)
        configured = [part.synapse for _, part in self._parts]
        decays = [np.exp(-_TRACE_STEPS / synapse.tracing_tau) for synapse in configured]
        self._decay = np.repeat(np.array(decays), counts)
        self._magnitude = np.repeat([float(x.tracing_mag) for x in configured], counts)
        self._exponents = [int(synapse.synapse_cfg.weight_exp) for synapse in configured]

    def learn(self, t: int, arrived: Mapping[str, Raster], errors: Errors, n_steps: int) -> bool:
        """Do the learning of *n_steps* steps from *t* on; return whether weights have changed.

        arrived: by projection, the presynaptic spikes that arrive in each step. errors: by
        population, ``(n_steps, size)``, -1 to 1; 0 for a population left out.
        """
        rng, learns = self._rng, False
        of_parts = [arrived[name][:, part.rows] for name, part in self._parts]
        coming = np.concatenate(of_parts, axis=1) if of_parts else np.zeros((n_steps, 0), bool)
        for k in range(n_steps):
            self._came |= coming[k]
            # All traces before any weights: this is the order in which the emulator draws.
            if (t + k) % _TRACE_STEPS == 0:
                x = self._decay * self._trace + self._magnitude * self._came
                np.minimum(_stochastic(x, rng), _TRACE_MAX, out=self._trace)
                self._came[:] = False
            if (t + k) % WEIGHT_STEPS == 0:
                told = {name: rows[k] for name, rows in errors.items()}
                if self._trace.any() and any(rows.any() for rows in told.values()):
                    learns = True
                    self._update_weights(told)
                else:  # no weight changes, but each has its draw
                    rng.rand(self._n_weights)
            if self._n_noise:
                rng.randint(-_NOISE, _NOISE + 1, size=self._n_noise, dtype=np.int32)
        return learns

    def _update_weights(self, errors: Mapping[str, FloatArray]) -> None:
        """Change weights by ``-x e``, those onto twins by ``+x e``, rounded stochastically."""
        learned = [
            # In units of 2**-7 mantissas, as the chip computes; the lowest bit of a mantissa is 0.
            shifted(part.data, 1 - exponent)
            + (np.multiply.outer(self._trace[self._axons[id(part)]], _error(part, errors)) >> 2)
            for (_, part), exponent in zip(self._parts, self._exponents, strict=True)
        ]
        flat = np.concatenate([of_part.ravel() for of_part in learned])
        rounded = np.minimum(_stochastic(np.abs(flat) * (1 / 256), self._rng), _MANTISSA_MAX)
        rounded *= np.sign(flat)
        first = 0
        for (_, part), exponent in zip(self._parts, self._exponents, strict=True):
            last = first + part.data.size
            part.data[...] = shifted(rounded[first:last], 7 + exponent).reshape(part.data.shape)
            first = last

    def reset(self) -> None:
        """Clear traces and the spikes that have yet to join them; weights stay."""
        self._trace[:], self._came[:] = 0, False

    def state(self) -> State:
        """Return what `neurorl.backends.loihi.pes.OnChipLearning.state` does."""
        _, words, position, *_ = self._rng.get_state()
        state: State = {"pes.draws": np.append(np.asarray(words, dtype=np.int64), position)}
        for name, axons in self._axons_of_tables().items():
            state[f"{name}.trace"] = self._trace[axons].astype(np.int64)
            state[f"{name}.trace_spikes"] = self._came[axons]
        return state

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        words, position = state["pes.draws"][:WORDS], int(state["pes.draws"][WORDS])
        self._rng.set_state(("MT19937", words.astype(np.uint32), position, 0, 0.0))
        for name, axons in self._axons_of_tables().items():
            self._trace[axons] = state[f"{name}.trace"]
            self._came[axons] = state[f"{name}.trace_spikes"]

    def _axons_of_tables(self) -> dict[str, npt.NDArray[np.intp]]:
        """Return the places of a projection's axons, part by part, by its name."""
        every = np.arange(len(self._trace))
        return {
            name: np.concatenate([every[self._axons[id(part)]] for part in table.parts])
            for name, table in self._tables.items()
        }


def _error(part: LearningPart, errors: Mapping[str, FloatArray]) -> Int32Array:
    """Return minus the errors of a core's neurons, then those of their twins, -127..127."""
    if part.post not in errors:
        return np.zeros(2 * (part.last - part.first), dtype=np.int32)
    error = np.round(ERROR_SCALE * errors[part.post][part.first : part.last]).astype(np.int32)
    return np.concatenate([-error, error])


def _stochastic(x: npt.NDArray[np.floating[Any]], rng: np.random.RandomState) -> Int32Array:
    """Round *x* >= 0 up with the probability of its fraction; one draw per element."""
    fraction, whole = np.modf(x)
    return np.asarray(whole.astype(np.int32) + (fraction > rng.rand(*x.shape)), dtype=np.int32)


def quick_simulator(simulated: SimulatedNetwork) -> ProgramSimulator:
    """Return what runs a network's program: in C++, or in NumPy where there is no compiler."""
    made = NativeSimulator() if toolchain.problem() is None else ReferenceSimulator()
    made.build(simulated)
    return made


class QuickEngine(ChipEngine):
    """Run one replica while its weights learn on the chip, as the emulator has it.

    simulated: all replicas, without relays. replica: the number of this one. compiled: the model
    of nengo-loihi, with the tables that learn. seed: seed of the emulator's stochastic rounding.
    """

    target: ClassVar[str] = "emulator"

    def __init__(
        self, simulated: SimulatedNetwork, replica: int, compiled: ChipModel, seed: int
    ) -> None:
        network = simulated.network
        self._tables = {k: t for k, t in compiled.tables.items() if isinstance(t, LearningTable)}
        learned = (network.projection(name) for name in self._tables)
        self._ends = {p.name: (p.pre, network.delay_steps(p.name)) for p in learned}
        self._heard = {pre for pre, _ in self._ends.values()}
        read = self._heard & {p.name for p in network.populations}
        self._record = simulated.record
        self._simulated = replace(
            simulated,
            seeds=(simulated.seeds[replica],),
            axes=(),
            record=tuple(dict.fromkeys((*simulated.record, *read))),
            weights={
                name: weights.reshape(simulated.n_replicas, *network.weight_shape(name))[replica]
                for name, weights in simulated.weights.items()
            },
        )
        self._running = quick_simulator(self._simulated)
        self._pes = QuickPes(compiled, self._tables, seed)

    @property
    def steps(self) -> int:
        return self._running.time(0)

    def run(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        sources = [source.name for source in self._simulated.network.spiking.sources]
        parts: list[dict[str, Raster]] = []
        done = 0
        while done < n_steps:
            t = self.steps + FIRST
            rows = slice(done, done + min(-t % WEIGHT_STEPS + 1, n_steps - done))
            before = {pre: self._running.past(self._running.numbers[pre]) for pre in self._heard}
            given = {name: inputs[name][rows] for name in sources}
            spikes = self._running.step(given, rows.stop - done)
            known = {
                pre: np.concatenate([before[pre], (given | spikes)[pre]]) for pre in self._heard
            }
            told = {name: values[rows] for name, values in errors.items()}
            ends = self._ends.items()
            arrived = {name: known[x][len(before[x]) - delay :] for name, (x, delay) in ends}
            if self._pes.learn(t, arrived, told, rows.stop - done):
                for name, table in self._tables.items():
                    memory = self._running.memory(name)
                    assert memory is not None
                    memory[:] = table.transmitted().ravel()
            parts.append(spikes)
            done = rows.stop
        return {name: np.concatenate([part[name] for part in parts]) for name in self._record}

    def reset(self) -> None:
        self._running.reset([0])
        self._pes.reset()

    def write_weights(self, projection: str, weights: FloatArray, mantissa: Int32Array) -> None:
        self._simulated.weights[projection] = weights
        self._running.write_weights(projection)
        if projection in self._tables:
            self._tables[projection].write(mantissa)

    def write_bias(self, population: str, bias: Array) -> None:
        self._running.write_bias(population, bias)

    def learned_weights(self, name: str) -> Int32Array:
        return self._tables[name].transmitted()

    def state(self) -> State:
        return self._running.state(0) | self._pes.state()

    def restore(self, state: State) -> None:
        self._running.restore(state, 0)
        self._pes.restore(state)

    def close(self) -> None:
        self._running.close()
