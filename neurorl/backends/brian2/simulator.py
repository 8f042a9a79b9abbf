"""Define `Brian2Simulator`: a program as Brian2 equations, stepped by Brian2's own code."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.equations import brian2_names, group_text, past_release, synapses_text
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.programmed import SUMS, ProgramSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import ScriptedRule
from neurorl.backends.window import Raster
from neurorl.errors import BackendError, NeurorlError, check_name
from neurorl.numerics.arrays import Array
from neurorl.program import Release

# Fails without Brian2, so that importing this module shows whether the backend is available. Brian2
# itself is imported only where it is needed, as that takes a second.
_found = importlib.util.find_spec("brian2")
if _found is None or not _found.submodule_search_locations:  # a file of that name isn't Brian2
    raise ImportError("Brian2 is not installed")


ENGINES = ("numpy", "cython")
"""Name Brian2's targets of code generation, the default one first."""

_MOST_DELAY = 32
"""Limit delays with short-term plasticity: each step of delay needs a variable of its own."""

_FUNCTIONS = {
    "logistic": "a draw of neurorl.numerics.random, -10.4 to 10.4",
    "draw": "32 bits of neurorl.numerics.random, 0 to 2**32 - 1",
}


class Brian2Simulator(ProgramSimulator):
    """Run a network on Brian2, by one of its targets of code generation, in the reference's bits.

    engine: ``'numpy'`` (starts at once) or ``'cython'`` (compiles for tens of seconds once for each
        kind of network, not for each size; then cached).

    `source` shows the equations. `brian2_network` is the real `brian2.Network`: add monitors to it
    at any time, with ``clock=backend.brian2_network["node_0"].clock`` if they have a clock of their
    own choice. To step with `brian2.Network.run` instead, make a backend only for that, and run
    inside `neurorl.backends.brian2.vendor.exact_preferences`.

    `build` raises BackendError if Brian2 can't generate or compile the network, or if another
    Brian2 device is set.
    """

    name: ClassVar[str] = "brian2"
    capabilities: ClassVar[Capabilities] = replace(SUMS, engines=ENGINES, short_term=_MOST_DELAY)
    shown: ClassVar[tuple[str, ...]] = ("engine", "brian2_network")

    def __init__(self, engine: str = ENGINES[0]) -> None:
        check_name("engine", engine, ENGINES)
        self.engine = engine

    def build(self, simulated: SimulatedNetwork) -> None:
        """Generate the network's code, and write all biases and weights."""
        self.take(simulated)
        self._ahead = [0] * simulated.n_replicas  # steps of each replica, less those of the network
        self._names = [brian2_names(node) for node in self.program.nodes]
        self._projections = {p.name: k for k, p in enumerate(self.program.projections)}
        # The last spikes, newest last, of nodes with a delay of several steps. For other nodes one
        # row is enough, and Brian2 itself holds it.
        self._past: dict[int, Raster] = {
            k: np.zeros((node.depth, node.size), dtype=bool)
            for k, node in enumerate(self.program.nodes)
            if node.depth > 1
        }
        self._check_engine()
        with self._generating():
            from neurorl.backends.brian2.objects import Objects

            self._objects = Objects(self.program, simulated.network.dt)
        self.put_in_force(simulated)

    def _check_engine(self) -> None:
        """Raise BackendError if another Brian2 device is set, or if Cython can't compile."""
        from neurorl.backends.brian2.vendor import all_devices, brian2, cython_problem

        if brian2.get_device() is not all_devices["runtime"]:
            remedy = "call brian2.set_device('runtime') first"
            raise BackendError("backend brian2", "another Brian2 device is set", remedy=remedy)
        problem = cython_problem() if self.engine == "cython" else None
        if problem is not None:
            remedy = "install Cython, setuptools and a C++ compiler, or take engine='numpy'"
            raise BackendError("engine 'cython'", "can't compile", got=problem, remedy=remedy)

    @property
    def brian2_network(self) -> Any:
        """Return the `brian2.Network` that is stepped."""
        return self._objects.network

    def source(self) -> str:
        """Return the generated model as readable text, in Brian2's own terms."""
        program, simulated = self.program, self.simulated
        parts = [group_text(program, k).written() for k in (*self.sources, *self.populations)]
        parts += [str(synapses_text(program, k)) for k in range(len(program.projections))]
        head = [
            f"# arithmetic {simulated.arithmetic_name!r}, dt = {simulated.network.dt:g} s",
            "# a step: groups, thresholds, synapses, resets",
        ]
        if program.n_replicas > 1:
            head.append(f"# {program.n_replicas} replicas: neuron i of replica k is k*size + i")
        of = {"currents": "to the bias of neurons, for a window", "values": "in each step"}
        head += [
            f"# {kind} of {x!r}: added {of[kind]}" for x, kind in simulated.network.analog.items()
        ]
        for function, meaning in _FUNCTIONS.items():
            if any(f" {function}(" in text for text in parts):
                head.append(f"# {function}(i, step, stream, seed): {meaning}")
        return "\n\n".join(["\n".join(head), *parts]) + "\n"

    def write_script(
        self, folder: Path, inputs: Inputs, n_steps: int, lessons: Mapping[str, ScriptedRule]
    ) -> None:
        """Write a script that plain Brian2 runs, see `neurorl.backends.brian2.script`."""
        from neurorl.backends.brian2.script import write_script

        dt = self.simulated.network.dt
        write_script(folder, self.program, self._objects, dt, inputs, n_steps, lessons)

    def close(self) -> None:
        """Drop the Brian2 objects."""
        del self._objects

    def write_weights(self, projection: str) -> None:
        k = self._projections.get(projection)
        if k is not None:  # it has synapses
            places = self.program.projections[k].places()
            values = self.simulated.transmitted(projection).ravel()
            self._objects.weights[k][:] = values if places is None else values[places]

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        memory = self._objects.memory[self.numbers[population]]
        if "bias" in memory:
            memory["bias"][:] = bias

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance step by step, with inputs written before and spikes read after each."""
        stepper, nodes, memory = self._objects.stepper, self.program.nodes, self._objects.memory
        if stepper.is_stale():
            with self._generating():
                stepper.prepare()
        read = {k for k in self.populations if nodes[k].name in self.simulated.record}
        read |= {k for k in self._past if not nodes[k].is_source}
        rasters = {k: np.zeros((n_steps, nodes[k].size), dtype=bool) for k in read}
        feeds = [(memory[k]["inject"], inputs[nodes[k].name]) for k in self.sources]
        for k, node in enumerate(nodes):
            feeds += [(memory[k][f"drive_{x}"], inputs[node.drive(x)]) for x in node.driven]
        taps = [(memory[k]["_spikespace"], raster) for k, raster in rasters.items()]
        # In expressions nothing warns: 0 / 0 is nan.
        with np.errstate(all="ignore"), translated("failed in a step"):
            for step in range(n_steps):
                for given, rows in feeds:
                    given[:] = rows[step]
                stepper.advance()
                for space, raster in taps:
                    raster[step, space[: space[-1]]] = True
            stepper.show_time()
        for k, past in self._past.items():
            recent = inputs[nodes[k].name] if nodes[k].is_source else rasters[k]
            past[:] = np.concatenate([past, recent])[-len(past) :]
        return {name: rasters[self.numbers[name]] for name in self.simulated.record}

    def time(self, replica: int) -> int:
        return self._objects.stepper.t + self._ahead[replica]

    def put_time(self, t: int, replica: int) -> None:
        """Set a replica's steps.

        All replicas share those of the network, by which spikes are in flight.
        """
        stepper = self._objects.stepper
        if self.simulated.n_replicas == 1:
            stepper.t = t
            stepper.show_time()
            return
        self._ahead[replica] = t - stepper.t
        for node, memory in zip(self.program.nodes, self._objects.memory, strict=True):
            if "ahead" in memory:
                memory["ahead"][self.simulated.columns(node.name, replica)] = self._ahead[replica]

    def values(self, k: int, variable: str) -> Array:
        return self._objects.memory[k][self._names[k][variable]]

    def dead(self, k: int) -> Array:
        return self._objects.memory[k]["dead"]

    def past(self, k: int) -> Raster:
        if k in self._past:
            return self._past[k].copy()
        row = np.zeros((1, self.program.nodes[k].size), dtype=bool)
        space = self._objects.memory[k]["_spikespace"]
        row[0, space[: space[-1]]] = True
        return row

    def put_past(self, rasters: Mapping[int, Raster]) -> None:
        from neurorl.backends.brian2.objects import refill_queue

        for k, rows in rasters.items():
            if k in self._past:
                self._past[k][:] = rows
            spiking = np.flatnonzero(rows[-1])
            space = self._objects.memory[k]["_spikespace"]
            space[: len(spiking)] = spiking
            space[-1] = len(spiking)
        pairs = zip(self.program.projections, self._objects.synapses, strict=True)
        for projection, synapses in pairs:
            if not projection.gap:
                delay = max(projection.delays) - 1
                refill_queue(synapses, rasters[projection.pre][:-1], delay)

    def released(self, k: int, release: Release) -> Sequence[Array]:
        names = (past_release(release.variable, age) for age in range(release.delay, 0, -1))
        return [self._objects.memory[k][name] for name in names]

    @contextlib.contextmanager
    def _generating(self) -> Iterator[None]:
        """Let Brian2 generate and compile inside; add a failed compiler's output to the error."""
        from neurorl.backends.brian2.vendor import exact_preferences

        printed = io.StringIO()
        with (
            exact_preferences(self.engine),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            translated("can't build the network", printed),
        ):
            yield
        sys.stderr.write(printed.getvalue())  # it worked, so these are warnings


@contextlib.contextmanager
def translated(problem: str, printed: io.StringIO | None = None) -> Iterator[None]:
    """Turn whatever Brian2 raises into a BackendError with the innermost reason.

    problem: the failure, for the message. printed: what a compiler has printed.
    """
    try:
        yield
    except NeurorlError:
        raise
    except Exception as exc:
        output = printed.getvalue() if printed else ""
        raise BackendError("backend brian2", problem, got=_reason(exc, output)) from exc


def _reason(exc: BaseException, printed: str) -> str:
    """Return the innermost cause in a line, after the first error that was printed.

    An exception's message may be the compiler's whole command; an error keeps a part of it.
    """
    while exc.__cause__ is not None:
        exc = exc.__cause__
    lines = str(exc).strip().splitlines() or [""]
    errors = [line.strip() for line in printed.splitlines() if "error" in line.lower()]
    return ": ".join([type(exc).__name__, *errors[:1], lines[0]])
