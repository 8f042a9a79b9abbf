"""Run one process's part of a network, together with the others: ``rank.py SOCKET``.

Each process makes its own part of the description, holds its weights and eligibilities, and runs
what any process of neurorl runs, `Backend` and `Learning`; after each window all get each other's
spikes, so that traces are known everywhere. Inputs and modulators come to all.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl import Learning
from neurorl.backends.base import Backend, Raster
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.errors import ArgumentError
from neurorl.network.restoring import load_network
from neurorl_nest.checkpoint import restore, save
from neurorl_nest.kernel import Kernel
from neurorl_nest.parts import longest_delays, part_of
from neurorl_nest.shared import Described
from neurorl_nest.simulator import NestSimulator
from neurorl_nest.worker import serve

__all__ = ["RankSimulator"]

Arrays = dict[str, npt.NDArray[Any]]


class RankSimulator(NestSimulator):
    """Run one process's part in this process's kernel; spikes are everybody's, states its own.

    depths: for each node the most steps that any process may need its spikes.
    """

    def __init__(self, threads: int, processes: int, depths: Mapping[str, int]) -> None:
        super().__init__(threads, processes)
        self._depths = depths

    def build(self, simulated: SimulatedNetwork) -> None:
        # Others may have longer delays, and wait for spikes of this process's neurons.
        vars(simulated)["depths"] = dict(self._depths)
        super().build(simulated)

    def _start(self, described: Described, arrays: Arrays) -> Arrays:
        self._kernel = Kernel(described, arrays)
        return arrays

    def write_weights(self, projection: str) -> None:
        super().write_weights(projection)
        if self.memory(projection) is not None:  # they are held there, and only there
            table = self._shared["table"][self._places[projection]]
            self.simulated.weights[projection] = table

    def _run(self, n_steps: int) -> None:
        self._kernel.run(n_steps, self._is_taken)
        for population in self.simulated.whole.populations:
            self._gather(population.name, n_steps)

    def _gather(self, population: str, n_steps: int) -> None:
        """Get from all processes the spikes of their neurons in the last steps, a bit each."""
        rank, n = self._kernel.rank, self._kernel.n_ranks
        if n == 1:
            return
        spikes, rows = self._shared[f"{population}.spikes"], self._rows(population, n_steps)
        most = -(-spikes.shape[1] // n)  # neurons of a process
        own = np.zeros((n_steps, most), bool)
        mine = spikes[rows, rank::n]
        own[:, : mine.shape[1]] = mine
        got = self._kernel.gather(np.packbits(own))
        for of in range(n):
            width = len(range(of, spikes.shape[1], n))
            bits = np.unpackbits(got[of], count=own.size).reshape(own.shape)
            spikes[rows, of::n] = bits[:, :width]

    def close(self) -> None:
        """Leave NEST as it is; it ends with its process."""


class Rank:
    """Hold one part, and do what a front end asks: a name of a method here, and its arguments."""

    def __init__(self, rank: int, n: int) -> None:
        self._rank, self._n = rank, n

    def __call__(self, command: tuple[str, dict[str, Any]]) -> object:
        verb, arguments = command
        return getattr(self, verb)(**arguments)

    def begin(
        self, network: str, seed: int, threads: int, record: Any, learning: Mapping[str, Any] | None
    ) -> None:
        """Build the part of a network in a file; *learning*: the arguments of `Learning`."""
        whole = load_network(network)
        part = part_of(whole, self._rank, self._n, seed)
        simulator = RankSimulator(threads, self._n, longest_delays(whole))
        self._backend = Backend(simulator, part, seed=seed, record=record)
        self._learning = None if learning is None else Learning(self._backend, **learning)

    def window(self, inputs: Any, n_steps: int, signals: Any) -> dict[str, Raster] | None:
        """Run a window; process 0 returns the rasters, which all have."""
        if self._learning is None:
            rasters = self._backend.step(inputs, n_steps)
        else:
            rasters = self._learning.window(inputs, n_steps, signals)
        return rasters if self._rank == 0 else None

    def reinforce(self, **arguments: Any) -> None:
        """Let the own synapses learn."""
        self._learner().reinforce(**arguments)

    def reset(self) -> None:
        """Silence the network."""
        (self._learning or self._backend).reset()

    def weights(self, name: str) -> tuple[Any, ...]:
        """Return the ends of the own synapses, and their weights."""
        held = (
            self._backend.weights(name) if self._learning is None else self._learning.weights(name)
        )
        return (*self._backend.network.ends(name), held)

    def eligibility(self, name: str) -> tuple[Any, ...]:
        """Return the ends of the own synapses, and their eligibilities."""
        return (*self._backend.network.ends(name), self._learner().eligibility(name))

    def state(self) -> dict[str, Any]:
        """Return the currents, membranes and dead steps, of which the own neurons' are right."""
        return self._backend.simulator.state(0)

    def time(self) -> int:
        """Return the number of steps since the start."""
        return self._backend.t

    def save(self, folder: str) -> None:
        """Write the own part of a checkpoint."""
        learns = self._learning or self._backend
        save(Path(folder), self._rank, self._n, self._backend.network, learns.state())

    def restore(self, folder: str) -> None:
        """Go on from a checkpoint of any number of processes."""
        learns = self._learning or self._backend
        network = self._backend.network
        learns.restore(restore(Path(folder), self._rank, self._n, network, learns.state()))

    def measure(self) -> dict[str, float]:
        """Return what this process has used, peak MiB, its synapses, and its number."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        n_synapses = self._backend.network.n_synapses
        return {"peak_mib": peak, "synapses": n_synapses, "process": os.getpid()}

    def _learner(self) -> Learning:
        if self._learning is None:
            raise ArgumentError("Distributed", "nothing learns", remedy="learning={...}")
        return self._learning


def main(address: str) -> None:
    """Serve the process that started this one."""
    import nest

    serve(address, nest.Rank(), Rank(nest.Rank(), nest.NumProcesses()))


if __name__ == "__main__":
    main(*sys.argv[1:])
