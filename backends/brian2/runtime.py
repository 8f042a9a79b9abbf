"""Run the engines 'cython' and 'numpy': the objects of a `brian2.Network`, stepped in place."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.build import Simulation
from neurorl.backends.brian2.engine import Engine
from neurorl.backends.brian2.preferences import exact_preferences
from neurorl.backends.brian2.stepper import refill_queue
from neurorl.backends.brian2.vendor import brian2
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.window import Raster
from neurorl.errors import BackendError, NeurorlError

__all__ = ["Runtime"]


class Runtime(Engine):
    """Prepare a network once, and step it.

    target: Brian2's target of code generation.

    Raises BackendError if another Brian2 device is set, or if the network can't be built.
    """

    def __init__(self, simulated: SimulatedNetwork, target: str) -> None:
        if brian2.get_device() is not brian2.all_devices["runtime"]:
            remedy = "call brian2.set_device('runtime') first"
            raise BackendError("backend brian2", "another Brian2 device is set", remedy=remedy)
        self._target, network = target, simulated.whole
        self.nodes = tuple(node.name for node in network.spiking.nodes)
        self._sizes = {node.name: node.size for node in network.nodes}
        self._record = simulated.record
        self._paths = {
            p.name: (p.pre, network.delay_steps(p.name) - 1) for p in network.spiking.projections
        }
        with _building(target):
            self._simulation = Simulation(network, simulated.whole_arithmetic, simulated.seeds)
        self.variables = self._simulation.variables
        # The last spikes, newest last, of nodes with a delay of several steps. For other nodes one
        # row is enough, and Brian2 itself holds it.
        self._past: dict[str, Raster] = {
            name: np.zeros((depth, self._sizes[name]), dtype=bool)
            for name, depth in simulated.depths.items()
            if depth > 1
        }

    @property
    def network(self) -> Any:
        return self._simulation.network

    @property
    def t(self) -> int:
        return self._simulation.stepper.t

    @t.setter
    def t(self, step: int) -> None:
        self._simulation.stepper.t = step
        self._simulation.stepper.show_time()

    def write(self, name: str, transmitted: npt.NDArray[Any]) -> None:
        if name in self._simulation.weights:
            self._simulation.weights[name].write(transmitted)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance step by step, with inputs written before and spikes read after each."""
        stepper = self._simulation.stepper
        if stepper.is_stale():
            with _building(self._target):
                stepper.prepare()
        out = {name: self._silent(name, n_steps) for name in self._record}
        kept = {name: self._silent(name, n_steps) for name in self._past if name not in inputs}
        kept |= out
        feeds = [(inject, inputs[name]) for name, inject in self._simulation.inject.items()]
        taps = [(self._simulation.spikes[name], raster) for name, raster in kept.items()]
        # In expressions nothing warns: 0 / 0 is nan.
        with np.errstate(all="ignore"), _translated("failed in a step"):
            for k in range(n_steps):
                for inject, raster in feeds:
                    inject[:] = raster[k]
                stepper.advance()
                for space, raster in taps:
                    raster[k, space[: space[-1]]] = True
            stepper.show_time()
        for name, past in self._past.items():
            recent = inputs[name] if name in inputs else kept[name]
            past[:] = np.concatenate([past, recent])[-len(past) :]
        return out

    def spikes(self, name: str) -> Raster:
        if name in self._past:
            return self._past[name].copy()
        row = self._silent(name, 1)
        space = self._simulation.spikes[name]
        row[0, space[: space[-1]]] = True
        return row

    def put_in_flight(self, spikes: dict[str, npt.NDArray[np.bool_]]) -> None:
        for name, rows in spikes.items():
            if name in self._past:
                self._past[name][:] = rows
            indices = np.flatnonzero(rows[-1])
            space = self._simulation.spikes[name]
            space[: len(indices)] = indices
            space[-1] = len(indices)
        for name, weights in self._simulation.weights.items():
            pre, delay_steps = self._paths[name]
            refill_queue(weights.synapses, spikes[pre][:-1], delay_steps)

    def _silent(self, name: str, n_steps: int) -> Raster:
        """Return a raster without spikes."""
        return np.zeros((n_steps, self._sizes[name]), dtype=bool)


@contextlib.contextmanager
def _building(engine: str) -> Iterator[None]:
    """Let Brian2 generate and compile inside; add a failed compiler's output to the error."""
    printed = io.StringIO()
    with (
        exact_preferences(engine),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _translated("can't build the network", printed),
    ):
        yield
    sys.stderr.write(printed.getvalue())  # it worked, so these are warnings


@contextlib.contextmanager
def _translated(problem: str, printed: io.StringIO | None = None) -> Iterator[None]:
    """Turn whatever Brian2 raises into a BackendError with the innermost reason.

    problem: the failure, for the message.
    printed: what a compiler has printed.
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
