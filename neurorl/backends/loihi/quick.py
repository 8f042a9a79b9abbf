"""Run the chip's integers by the network's own program, in place of nengo-loihi's emulator.

The emulator makes an object for every spike. Its results are those of the program, in every bit,
so it stays the witness, as the engine ``'stock'``; nengo-loihi still builds, places and checks the
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import Inputs
from neurorl.backends.loihi.engine import ChipEngine
from neurorl.backends.loihi.learning_tables import LearningTable
from neurorl.backends.loihi.model import ChipModel
from neurorl.backends.loihi.quick_pes import FIRST, WEIGHT_STEPS, QuickPes
from neurorl.backends.native import NativeSimulator
from neurorl.backends.programmed import ProgramSimulator
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.native import toolchain
from neurorl.numerics.arrays import FloatArray


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
        self._ends = {p.name: (p.pre, network.delay_steps(p.name)) for p in network.projections}
        self._heard = {self._ends[name][0] for name in self._tables}
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

    def run(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        return self.learn(inputs, {}, n_steps)

    def learn(
        self, inputs: Inputs, errors: Mapping[str, FloatArray], n_steps: int
    ) -> dict[str, Raster]:
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
            arrived = {
                name: known[pre][len(before[pre]) - delay :]
                for name, (pre, delay) in self._ends.items()
                if name in self._tables
            }
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

    def write_weights(
        self, projection: str, weights: FloatArray, mantissa: npt.NDArray[np.int32]
    ) -> None:
        self._simulated.weights[projection] = weights
        self._running.write_weights(projection)
        if projection in self._tables:
            self._tables[projection].write(mantissa)

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        self._running.write_bias(population, bias)

    def learned_weights(self, name: str) -> npt.NDArray[np.int32]:
        return self._tables[name].transmitted()

    def state(self) -> State:
        return self._running.state(0) | self._pes.state()

    def restore(self, state: State) -> None:
        self._running.restore(state, 0)
        self._pes.restore(state)

    def close(self) -> None:
        self._running.close()
