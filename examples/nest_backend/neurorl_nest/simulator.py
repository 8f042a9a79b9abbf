"""Define `NestSimulator`: networks on NEST, with the bits of the reference."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.errors import ArgumentError
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import LOGISTIC_TABLE
from neurorl_nest.build import library
from neurorl_nest.crew import Crew
from neurorl_nest.shared import Described, create

__all__ = ["NestSimulator"]

CHUNK = 64  # steps that are run, and read, at a time
CHUNK_OF_SYNAPSES = 2**20
_TIC = 1e-6  # seconds: NEST's steps are whole numbers of it


class NestSimulator(Simulator):
    """Run a network on NEST, in processes of its own, as NEST has one kernel a process.

    NEST creates the nodes, connects them, delivers every spike and runs threads; the neuron and the
    synapse are models of NEST that do what the description says, so that spikes are the
    reference's. A delay of d steps is a delay of one step from a node that sends d - 1 steps
    later, so that weights act on spikes that arrive, and a state holds what is on its way.

    threads: of NEST, in each process. processes: of NEST, on this machine, by mpirun; needs a NEST
        that was built with MPI. Each has its own neurons and the synapses onto them. Results are
        the same for any number of both.
    """

    name: ClassVar[str] = "nest"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float",),
        exact_arithmetics=("float",),
        sparse=True,
        synapse_delays=True,
    )

    def __init__(self, threads: int = 1, processes: int = 1) -> None:
        for name, n in (("threads", threads), ("processes", processes)):
            if not isinstance(n, int) or isinstance(n, bool) or n < 1:
                raise ArgumentError(f"backend nest: {name}", "not a whole number >= 1", got=n)
        self.threads, self.processes = threads, processes

    @classmethod
    def problems(cls, network: Network, arithmetic: str) -> list[str]:
        problems = super().problems(network, arithmetic)
        tics = network.dt / _TIC
        if abs(tics - round(tics)) > 1e-6 * tics or tics < 1:
            problems.append(f"steps of {network.dt:g} s (NEST's are multiples of {_TIC:g} s)")
        return problems

    def build(self, simulated: SimulatedNetwork) -> None:
        self.simulated = simulated
        self._made = 0  # steps of NEST
        self._is_taken = False  # whether a reset or a restored state says what arrives
        arrays: dict[str, npt.NDArray[Any]] = {"logistic": LOGISTIC_TABLE}
        parts: dict[str, dict[str, Any]] = {}
        for node in simulated.whole.spiking.nodes:
            depth = simulated.depths[node.name] + CHUNK
            parts[node.name] = {
                "size": node.size,
                "width": node.size // simulated.n_replicas,
                "depth": depth,
                "stream": simulated.network.index(node.name),
                "is_source": node.name not in {p.name for p in simulated.whole.populations},
                "laters": [0],
            }
            arrays[f"{node.name}.spikes"] = np.zeros((depth, node.size), np.uint8)
        for population in simulated.whole.populations:
            d = population.integrator(simulated.network.dt)
            numbers: dict[str, npt.NDArray[Any]] = {
                "current": np.zeros(population.size),
                "voltage": np.zeros(population.size),
                "arrived": np.zeros(population.size),
                "dead": np.zeros(population.size, np.int64),
                "refractory": d.refractory_steps.astype(np.int64),
                "seeds": np.array(simulated.seeds, np.uint64).astype(np.int64),
                "steps": np.zeros(simulated.n_replicas, np.int64),
                "bias": np.zeros(population.size),
            }
            for key in ("current_decay", "membrane_decay", "threshold", "noise_width"):
                numbers[key] = getattr(d, key).astype(np.float64)
            arrays |= {f"{population.name}.{key}": value for key, value in numbers.items()}
        projections = self._projections(arrays, parts)
        described = Described(
            library=str(library()),
            plan={},
            parts=parts,
            projections=projections,
            resolution=round(simulated.network.dt / _TIC) / 1000,
            threads=self.threads,
        )
        self._shared = self._start(described, arrays)
        self.put_in_force(simulated)

    def _projections(
        self, arrays: dict[str, npt.NDArray[Any]], parts: dict[str, dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return what is connected, and add its arrays."""
        whole, end = self.simulated.whole, 0
        self._places: dict[str, slice] = {}
        self._connected: list[dict[str, Any]] = []
        for p in whole.spiking.projections:
            delays, (pre, post) = whole.synapse_delays(p.name), whole.ends(p.name)
            arrays |= {f"{p.name}.pre": pre, f"{p.name}.post": post}
            self._places[p.name] = slice(end, end + len(pre))
            steps = [whole.delay_steps(p.name)]
            if delays is not None:
                arrays[f"{p.name}.delays"], steps = delays, np.unique(delays).tolist()
            if p.mask is not None:
                arrays[f"{p.name}.there"] = np.asarray(p.mask).ravel()
            laters = [delay - 1 for delay in steps]
            ends = {"name": p.name, "pre": p.pre, "post": p.post}
            self._connected.append({**ends, "begin": end, "laters": laters})
            parts[p.pre]["laters"] = sorted({*parts[p.pre]["laters"], *laters})
            end += len(pre)
        arrays["table"] = np.zeros(max(end, 1))
        return self._connected

    def _start(
        self, described: Described, arrays: dict[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Start NEST, and let it build the network; return the arrays that it shares."""
        memory, plan, shared = create(arrays)
        try:
            file = f"/proc/{os.getpid()}/fd/{memory}"
            self._crew = Crew("neurorl_nest.worker", self.processes, [file])
            self._crew.ask({**described, "plan": plan})
        finally:
            os.close(memory)
        return shared

    def _run(self, n_steps: int) -> None:
        """Run a window."""
        self._crew.ask((n_steps, self._is_taken))

    def write_weights(self, projection: str) -> None:
        place = self._places[projection]
        self._shared["table"][place] = np.ravel(self.simulated.transmitted(projection))

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        self._shared[f"{population}.bias"][:] = bias

    def memory(self, projection: str) -> npt.NDArray[np.float64] | None:
        if self.simulated.network.projection(projection).signed:
            return None
        memory: FloatArray = self._shared["table"][self._places[projection]]
        return memory

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        simulated = self.simulated
        if self._is_taken:
            self._take()  # by the weights that are in force now
        out = {n: np.empty((n_steps, simulated.whole.node(n).size), bool) for n in simulated.record}
        for first in range(0, n_steps, CHUNK):
            last = min(first + CHUNK, n_steps)
            for source in simulated.whole.spiking.sources:
                spikes = self._shared[f"{source.name}.spikes"]
                spikes[self._rows(source.name, last - first)] = inputs[source.name][first:last]
            self._run(last - first)
            for name, raster in out.items():
                raster[first:last] = self._shared[f"{name}.spikes"][self._rows(name, last - first)]
            self._made += last - first
            self._is_taken = False
            for population in simulated.network.populations:
                self._shared[f"{population.name}.steps"] += last - first
        return out

    def _rows(self, node: str, n: int, first: int = 0) -> npt.NDArray[np.int64]:
        """Return the rows of *n* steps from now + *first* on."""
        return (self._made + first + np.arange(n)) % len(self._shared[f"{node}.spikes"])

    def _take(self) -> None:
        """Tell NEST what arrives in the next step, in place of what is on its way."""
        whole, shared = self.simulated.whole, self._shared
        arrived = {p.name: shared[f"{p.name}.arrived"] for p in whole.populations}
        for q in arrived.values():
            q[:] = 0
        for projection in self._connected:
            self._arrive(projection, arrived[projection["post"]])

    def _arrive(self, projection: Mapping[str, Any], arrived: npt.NDArray[np.float64]) -> None:
        """Add what arrives in the next step by a projection, some synapses at a time."""
        name, pre, shared = projection["name"], projection["pre"], self._shared
        ends = shared[f"{name}.pre"], shared[f"{name}.post"], shared["table"][self._places[name]]
        laters = projection["laters"]
        if not laters:  # there are no synapses
            return
        delays = shared.get(f"{name}.delays", np.broadcast_to(laters[0] + 1, len(ends[0])))
        spikes = {
            later: shared[f"{pre}.spikes"][self._rows(pre, 1, -1 - later)[0]] for later in laters
        }
        if not any(row.any() for row in spikes.values()):
            return
        there = shared.get(f"{name}.there")
        for first in range(0, len(ends[0]), CHUNK_OF_SYNAPSES):
            part = slice(first, first + CHUNK_OF_SYNAPSES)
            i, j, w = (values[part] for values in ends)
            for later, row in spikes.items():
                chosen = np.flatnonzero((row[i] != 0) & (delays[part] == later + 1))
                if there is not None:
                    chosen = chosen[there[part][chosen]]
                arrived += np.bincount(j[chosen], w[chosen], len(arrived))

    def reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            for key, variable in self._variables(k).items():
                if not key.endswith(".spikes"):
                    variable[...] = 0
            for node in self.simulated.whole.spiking.nodes:
                columns = self.simulated.columns(node.name, k)
                self._shared[f"{node.name}.spikes"][:, columns] = 0
        self._is_taken = True

    def time(self, replica: int) -> int:
        name = self.simulated.network.populations[0].name
        return int(self._shared[f"{name}.steps"][replica])

    def state(self, replica: int) -> State:
        state = {key: value.copy() for key, value in self._variables(replica).items()}
        for node in self.simulated.network.spiking.nodes:
            depth = self.simulated.depths[node.name]
            rows = self._shared[f"{node.name}.spikes"][self._rows(node.name, depth, -depth)]
            columns = self.simulated.columns(node.name, replica)
            state[f"{node.name}.spikes"] = rows[:, columns].astype(bool)
        return state

    def restore(self, state: State, replica: int) -> None:
        for key, variable in self._variables(replica).items():
            variable[...] = state[key]
        for node in self.simulated.network.spiking.nodes:
            depth = self.simulated.depths[node.name]
            columns = self.simulated.columns(node.name, replica)
            rows = self._rows(node.name, depth, -depth)[:, None]
            where = np.arange(columns.start, columns.stop)
            self._shared[f"{node.name}.spikes"][rows, where] = state[f"{node.name}.spikes"]
        for population in self.simulated.network.populations:
            self._shared[f"{population.name}.steps"][replica] = int(state["t"])
        self._is_taken = True

    def _variables(self, replica: int) -> State:
        """Return a replica's currents, voltages and dead steps, as views."""
        views: State = {}
        for population in self.simulated.network.populations:
            columns, name = self.simulated.columns(population.name, replica), population.name
            for key, kept in (("current",) * 2, ("voltage",) * 2, ("refractory", "dead")):
                views[f"{name}.{key}"] = self._shared[f"{name}.{kept}"][columns]
        return views

    def close(self) -> None:
        """End NEST's processes."""
        self._crew.close()
