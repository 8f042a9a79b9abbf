"""`Brian2Backend`: a network generated as Brian2 equations and stepped in place."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.brian2.build import Simulation
from neurorl.backends.brian2.preferences import ENGINES, check_engine, exact_preferences
from neurorl.backends.brian2.stepper import refill_queue
from neurorl.backends.brian2.vendor import brian2
from neurorl.description import Network
from neurorl.errors import BackendError, NeurorlError, say

__all__ = ["Brian2Backend"]

_DYNAMIC = {"current": "u", "voltage": "v", "refractory": "dead"}


class Brian2Backend(Backend):
    """Brian2 on its runtime targets, equal to the reference in every bit on both.

    engine: ``'cython'`` (compiles for tens of seconds once for each new kind of network, not for
    each size; then cached) or ``'numpy'`` (starts at once); None takes cython where it works and
    else warns once. The rest as in `Backend`.

    `brian2_network` is the real `brian2.Network`: add monitors to it at any time, with
    ``clock=backend.brian2_network["node_0"].clock`` if they have a clock of their own choice.
    `source` shows the equations. To step with `brian2.Network.run` instead, make a backend only for
    that, and run inside `neurorl.backends.brian2.preferences.exact_preferences`.

    Raises also BackendError if Brian2 can't generate or compile the network.
    """

    name: ClassVar[str] = "brian2"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"), exact_arithmetics=("float", "loihi"), engines=ENGINES
    )

    def __init__(
        self,
        network: Network,
        *,
        seed: int = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        engine: str | None = None,
    ) -> None:
        self.engine = check_engine(engine)
        super().__init__(network, seed=seed, arithmetic=arithmetic, record=record)

    @property
    def brian2_network(self) -> Any:
        """The `brian2.Network` that is stepped."""
        self._check_open()
        return self._simulation.network

    def source(self) -> str:
        """The generated model as readable text, in Brian2's own terms."""
        self._check_open()
        texts = [str(text) for text in self._simulation.texts]
        head = [
            f"# arithmetic {self.arithmetic_name!r}, dt = {self.network.dt:g} s",
            "# a step: groups, thresholds, synapses, resets",
        ]
        if any("logistic(" in text for text in texts):
            head.append(
                "# logistic(i, step, stream, seed): a draw of neurorl.random, -10.4 to 10.4"
            )
        return "\n\n".join(["\n".join(head), *texts]) + "\n"

    def close(self) -> None:
        super().close()
        self.__dict__.pop("_simulation", None)

    def _build(self) -> None:
        if brian2.get_device() is not brian2.all_devices["runtime"]:
            remedy = "call brian2.set_device('runtime') first"
            raise BackendError(say("backend brian2", "another Brian2 device is set", remedy=remedy))
        with _building(self.engine):
            self._simulation = Simulation(self.network, self.arithmetic, self.seed)
        # The last spikes, newest last, of nodes with a delay of several steps; of the others Brian2
        # itself holds the one row that is needed.
        self._past: dict[str, Raster] = {
            node.name: np.zeros((self._max_delay[node.name], node.size), dtype=bool)
            for node in self.network.nodes
            if self._max_delay[node.name] > 1
        }
        for population in self.network.populations:
            self._write_bias(population.name)
        for name in self._rounded:
            self._write_weights(name)

    def _write_weights(self, name: str) -> None:
        projection = self.network.projection(name)
        if name in self._simulation.weights:
            transmitted = self.arithmetic.transmitted(name, self._rounded[name])
            self._simulation.weights[name].write(transmitted)
        if projection.signed:
            self._write_bias(projection.post)

    def _write_bias(self, population: str) -> None:
        bias = self._simulation.variables[population]["bias"]
        bias[:] = self.arithmetic.bias(population, self._rounded)

    def _step(self, inputs: dict[str, Raster], n_steps: int) -> dict[str, Raster]:
        stepper = self._simulation.stepper
        if stepper.is_stale():
            with _building(self.engine):
                stepper.prepare()
        out = {name: self._silent(name, n_steps) for name in self.record}
        kept = {name: self._silent(name, n_steps) for name in self._past if name not in inputs}
        kept |= out
        feeds = [(self._simulation.inject[name], raster) for name, raster in inputs.items()]
        taps = [(self._simulation.spikes[name], raster) for name, raster in kept.items()]
        with _translated("failed in a step"):
            for k in range(n_steps):
                for inject, raster in feeds:
                    inject[:] = raster[k]
                stepper.advance()
                for space, raster in taps:
                    raster[k, space[: space[-1]]] = True
            stepper.show_time()
        for name, past in self._past.items():
            seen = inputs[name] if name in inputs else kept[name]
            past[:] = np.concatenate([past, seen])[-len(past) :]
        return out

    def _silent(self, name: str, n_steps: int) -> Raster:
        return np.zeros((n_steps, self.network.node(name).size), dtype=bool)

    def _reset(self) -> None:
        for variables in self._simulation.variables.values():
            for variable in _DYNAMIC.values():
                if variable in variables:
                    variables[variable][:] = 0
        self._put_in_flight(
            {
                node.name: self._silent(node.name, self._max_delay[node.name])
                for node in self.network.nodes
            }
        )

    def _time(self) -> int:
        self._check_open()
        return self._simulation.stepper.t

    def _dynamic_state(self) -> State:
        state: State = {
            f"{node.name}.spikes": self._spikes(node.name) for node in self.network.nodes
        }
        exact = np.float64 if self.arithmetic_name == "float" else np.int64
        for name, variables in self._simulation.variables.items():
            none = np.zeros(self.network.node(name).size, dtype=np.int64)
            state[f"{name}.current"] = variables["u"].astype(exact)
            state[f"{name}.voltage"] = variables["v"].astype(exact)
            state[f"{name}.refractory"] = variables.get("dead", none).copy()
        return state

    def _restore_dynamic(self, state: State) -> None:
        self._simulation.stepper.t = int(state["t"])
        self._simulation.stepper.show_time()
        for name, variables in self._simulation.variables.items():
            for key, variable in _DYNAMIC.items():
                if variable in variables:
                    variables[variable][:] = state[f"{name}.{key}"]
        self._put_in_flight(
            {node.name: state[f"{node.name}.spikes"] for node in self.network.nodes}
        )

    def _spikes(self, name: str) -> Raster:
        """The last spikes of a node, newest last, as many steps as its longest delay."""
        if name in self._past:
            return self._past[name].copy()
        row = self._silent(name, 1)
        space = self._simulation.spikes[name]
        row[0, space[: space[-1]]] = True
        return row

    def _put_in_flight(self, spikes: dict[str, npt.NDArray[np.bool_]]) -> None:
        """Make these the last spikes of every node, newest last; they haven't arrived yet."""
        for name, rows in spikes.items():
            if name in self._past:
                self._past[name][:] = rows
            indices = np.flatnonzero(rows[-1])
            space = self._simulation.spikes[name]
            space[: len(indices)] = indices
            space[-1] = len(indices)
        for name, weights in self._simulation.weights.items():
            delay_steps = self.network.delay_steps(name) - 1
            rows = spikes[self.network.projection(name).pre]
            refill_queue(weights.synapses, rows[:-1], delay_steps)


@contextlib.contextmanager
def _building(engine: str) -> Iterator[None]:
    """Brian2 generates and compiles inside this; what a failed compiler printed joins the error."""
    printed = io.StringIO()
    with (
        exact_preferences(engine),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _translated("can't build the network", printed),
    ):
        yield
    sys.stderr.write(printed.getvalue())  # warnings, as it did work


@contextlib.contextmanager
def _translated(what: str, printed: io.StringIO | None = None) -> Iterator[None]:
    """Brian2 raises many types; each becomes a BackendError with the innermost reason."""
    try:
        yield
    except NeurorlError:
        raise
    except Exception as exc:
        said = printed.getvalue() if printed else ""
        raise BackendError(say("backend brian2", what, got=_reason(exc, said))) from exc


def _reason(exc: BaseException, printed: str) -> str:
    while exc.__cause__ is not None:
        exc = exc.__cause__
    lines = str(exc).strip().splitlines() or [""]
    errors = [line.strip() for line in printed.splitlines() if "error" in line.lower()]
    return ": ".join([type(exc).__name__, lines[0], *errors[:1]])
