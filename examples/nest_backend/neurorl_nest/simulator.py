"""Define `NestSimulator`: networks on NEST, with the bits of the reference."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.errors import ArgumentError, BackendError
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import LOGISTIC_TABLE
from neurorl_nest.build import library
from neurorl_nest.shared import create

__all__ = ["NestSimulator"]

CHUNK = 64  # steps that are run, and read, at a time
_TIC = 1e-6  # seconds: NEST's steps are whole numbers of it


class NestSimulator(Simulator):
    """Run a network on NEST, in a process of its own, as NEST has one kernel a process.

    NEST creates the nodes, connects them, delivers every spike and runs threads; the neuron and the
    synapse are models of NEST that do what the description says, so that spikes are the
    reference's. A delay of d steps is a delay of one step from a node that sends d - 1 steps
    later, so that weights act on spikes that arrive, and a state holds what is on its way.

    threads: of NEST.
    """

    name: ClassVar[str] = "nest"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float",),
        exact_arithmetics=("float",),
        sparse=True,
        synapse_delays=True,
    )

    def __init__(self, threads: int = 1) -> None:
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
            raise ArgumentError("backend nest: threads", "not a whole number >= 1", got=threads)
        self.threads = threads
        self._end: Callable[[], object] = lambda: None

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
        connections = self._connections(arrays, parts)
        self._start(arrays, parts, connections)
        self.put_in_force(simulated)

    def _connections(
        self, arrays: dict[str, npt.NDArray[Any]], parts: dict[str, dict[str, Any]]
    ) -> list[tuple[str, int, str, str]]:
        """Return ``(pre, steps later, post, key)`` of what is connected at once; add its arrays."""
        whole, connections, end = self.simulated.whole, [], 0
        self._places: dict[str, slice] = {}
        for p in whole.spiking.projections:
            pre, post = _ends(whole, p.name)
            self._places[p.name] = slice(end, end + len(pre))
            delays = whole.synapse_delays(p.name)
            if delays is None:
                delays = np.full(len(pre), whole.delay_steps(p.name), np.int32)
            is_there = np.ones(len(pre), bool) if p.mask is None else np.asarray(p.mask).ravel()
            for delay in np.unique(delays).tolist():
                chosen = np.flatnonzero((delays == delay) & is_there)
                if not len(chosen):
                    continue
                key, later = f"{p.name}.{delay}", delay - 1
                arrays[f"{key}.ends"] = np.array([pre[chosen], post[chosen]], np.int64)
                arrays[f"{key}.places"] = (end + chosen).astype(np.int64)
                connections.append((p.pre, later, p.post, key))
                if later not in parts[p.pre]["laters"]:
                    parts[p.pre]["laters"].append(later)
            end += len(pre)
        arrays["table"] = np.zeros(max(end, 1))
        self._connected = connections
        return connections

    def _start(self, arrays: dict[str, Any], parts: dict[str, Any], connections: list[Any]) -> None:
        """Start NEST, and let it build the network."""
        memory, plan, self._shared = create(arrays)
        described = {
            "library": str(library()),
            "plan": plan,
            "parts": parts,
            "connections": connections,
            "resolution": round(self.simulated.network.dt / _TIC) / 1000,
            "threads": self.threads,
        }
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        ends = (memory, theirs_in, theirs_out)
        folders = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-m", "neurorl_nest.worker", *map(str, ends)],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # NEST greets
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))},
        )
        for end in ends:
            os.close(end)
        self._commands = os.fdopen(ours_out, "w")
        self._answers = os.fdopen(ours_in)
        self._process = process
        self._end = weakref.finalize(self, _end, process, self._commands, self._answers)
        self._ask(described)

    def _ask(self, command: Any) -> None:
        """Send a command and wait. Raises BackendError if NEST has ended."""
        try:
            print(json.dumps(command), file=self._commands, flush=True)
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            _, errors = self._process.communicate()
            lines = errors.decode(errors="replace").strip().splitlines() or ["nothing said"]
            raise BackendError("backend nest", "NEST's process has ended", got=lines[-1])

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
            self._ask([last - first, int(self._is_taken)])
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
        for pre, later, post, key in self._connected:
            spikes = shared[f"{pre}.spikes"][self._rows(pre, 1, -1 - later)[0]]
            if spikes.any():
                ends, weights = shared[f"{key}.ends"], shared["table"][shared[f"{key}.places"]]
                arriving = weights * spikes[ends[0]]
                arrived[post] += np.bincount(ends[1], arriving, len(arrived[post]))

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
        """End NEST's process."""
        self._end()


def _end(process: subprocess.Popen[bytes], *pipes: IO[str]) -> None:
    """End NEST's process, which has nothing more to read."""
    for pipe in pipes:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    if not process.stderr.closed:  # type: ignore[union-attr]
        process.communicate()


def _ends(whole: Network, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the presynaptic and postsynaptic neuron of each weight of a projection."""
    p, synapses = whole.projection(name), whole.synapses(name)
    if synapses is not None:
        return np.asarray(synapses.pre, np.int64), np.asarray(synapses.post, np.int64)
    rows, columns = (whole.node(end).size // p.blocks for end in (p.pre, p.post))
    block, row, column = np.indices((p.blocks, rows, columns)).reshape(3, -1)
    return block * rows + row, block * columns + column
