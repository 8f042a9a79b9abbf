"""`Brian2Backend`: a network generated as Brian2 equations and stepped in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.brian2 import fingerprint
from neurorl.backends.brian2.compiled import Compiled
from neurorl.backends.brian2.engines import ENGINES, Engine, check_engine
from neurorl.backends.brian2.plan import texts
from neurorl.description import Network
from neurorl.errors import BackendUnavailableError, UnsupportedError, say

__all__ = ["Brian2Backend"]

fingerprint.version()  # without Brian2 no backend, though it is imported only where it is needed

_DYNAMIC = {"current": "u", "voltage": "v", "refractory": "dead"}


class Brian2Backend(Backend):
    """Brian2 in three ways, each equal to the reference in every bit.

    engine: ``'compiled'`` (the whole network as one C++ library; compiles for seconds once for each
    kind and size of network, then cached), ``'cython'`` (compiles for tens of seconds once for each
    kind, not for each size; then cached) or ``'numpy'`` (starts at once). None takes the first that
    works, and warns once if that isn't the first of all. The rest as in `Backend`.

    `source` shows the equations. `brian2_network`, not with the engine ``'compiled'``, is the real
    `brian2.Network`: add monitors to it at any time, with
    ``clock=backend.brian2_network["node_0"].clock`` if they have a clock of their own choice. To
    step with `brian2.Network.run` instead, make a backend only for that, and run inside
    `neurorl.backends.brian2.preferences.exact_preferences`.

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
        """The `brian2.Network` that is stepped. Raises UnsupportedError on 'compiled'."""
        self._check_open()
        if isinstance(self._engine, Compiled):
            what, remedy = "has no brian2.Network", "load with engine='cython' for monitors"
            raise UnsupportedError(say("engine 'compiled'", what, remedy=remedy))
        return self._engine.network  # type: ignore[attr-defined]

    def source(self) -> str:
        """The generated model as readable text, in Brian2's own terms."""
        self._check_open()
        parts = [str(text) for text in texts(self.network, self.arithmetic)]
        head = [
            f"# arithmetic {self.arithmetic_name!r}, dt = {self.network.dt:g} s",
            "# a step: groups, thresholds, synapses, resets",
        ]
        if self.engine == "compiled":
            head.append(
                "# compiled: the sums of Synapses are own code, before groups of the next step"
            )
        if any("logistic(" in text for text in parts):
            head.append(
                "# logistic(i, step, stream, seed): a draw of neurorl.random, -10.4 to 10.4"
            )
        return "\n\n".join(["\n".join(head), *parts]) + "\n"

    def close(self) -> None:
        super().close()
        if "_engine" in self.__dict__:
            self._engine.close()
            del self._engine

    def _build(self) -> None:
        arguments = (self.network, self.arithmetic, self.seed, self.record, self._max_delay)
        self._engine: Engine
        if self.engine == "compiled":
            self._engine = Compiled(*arguments)
        else:
            try:
                from neurorl.backends.brian2.runtime import Runtime  # imports Brian2, so late
            except Exception as exc:  # a broken simulator may raise anything
                remedy = "pip install brian2"
                raise BackendUnavailableError(
                    say("backend brian2", "brian2 doesn't import", got=exc, remedy=remedy)
                ) from exc
            self._engine = Runtime(*arguments, self.engine)
        for population in self.network.populations:
            self._write_bias(population.name)
        for name in self._rounded:
            self._write_weights(name)

    def _write_weights(self, name: str) -> None:
        projection = self.network.projection(name)
        self._engine.write(name, self.arithmetic.transmitted(name, self._rounded[name]))
        if projection.signed:
            self._write_bias(projection.post)

    def _write_bias(self, population: str) -> None:
        bias = self._engine.variables[population]["bias"]
        bias[:] = self.arithmetic.bias(population, self._rounded)

    def _step(self, inputs: dict[str, Raster], n_steps: int) -> dict[str, Raster]:
        return self._engine.step(inputs, n_steps)

    def _reset(self) -> None:
        for variables in self._engine.variables.values():
            for variable in _DYNAMIC.values():
                if variable in variables:
                    variables[variable][:] = 0
        self._engine.put_in_flight(
            {
                node.name: np.zeros((self._max_delay[node.name], node.size), dtype=bool)
                for node in self.network.nodes
            }
        )

    def _time(self) -> int:
        self._check_open()
        return self._engine.t

    def _dynamic_state(self) -> State:
        state: State = {
            f"{node.name}.spikes": self._engine.spikes(node.name) for node in self.network.nodes
        }
        exact = np.float64 if self.arithmetic_name == "float" else np.int64
        for name, variables in self._engine.variables.items():
            none = np.zeros(self.network.node(name).size, dtype=np.int64)
            state[f"{name}.current"] = variables["u"].astype(exact)
            state[f"{name}.voltage"] = variables["v"].astype(exact)
            state[f"{name}.refractory"] = variables.get("dead", none).copy()
        return state

    def _restore_dynamic(self, state: State) -> None:
        self._engine.t = int(state["t"])
        for name, variables in self._engine.variables.items():
            for key, variable in _DYNAMIC.items():
                if variable in variables:
                    variables[variable][:] = state[f"{name}.{key}"]
        self._engine.put_in_flight(
            {node.name: state[f"{node.name}.spikes"] for node in self.network.nodes}
        )
