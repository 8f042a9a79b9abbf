"""Define `Brian2Backend`: a network generated as Brian2 equations and stepped in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import NOISE_MODES
from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.base import Backend, Capabilities, Raster, State, Window
from neurorl.backends.brian2 import fingerprint
from neurorl.backends.brian2.compiled import Compiled
from neurorl.backends.brian2.engines import DYNAMIC, ENGINES, Engine, check_engine
from neurorl.backends.brian2.plan import texts
from neurorl.backends.brian2.window import CompiledWindow
from neurorl.backends.checks import Inputs
from neurorl.errors import BackendUnavailableError, UnsupportedError, say
from neurorl.network.description import Network
from neurorl.network.replicate import replicate
from neurorl.network.serialization import FloatArray

__all__ = ["Brian2Backend"]

# Fails without Brian2, so that importing this module shows whether the backend is available. Brian2
# itself is imported only where it is needed, as that takes a second.
fingerprint.version()

_KEYS = dict(zip(("current", "voltage", "refractory"), DYNAMIC, strict=True))


class Brian2Backend(Backend):
    """Runs a network on Brian2 by one of three engines, each equal to the reference in every bit.

    Arguments not listed are those of `neurorl.backends.base.Backend`.

    engine: ``'compiled'`` (the whole network as one C++ library; compiles for seconds once for each
        kind and size of network, then cached), ``'cython'`` (compiles for tens of seconds once for
        each kind, not for each size; then cached) or ``'numpy'`` (starts at once). None takes the
        first that works, and warns once if that isn't the first of all.

    `source` shows the equations. `brian2_network`, not with the engine ``'compiled'``, is the real
    `brian2.Network`: add monitors to it at any time, with
    ``clock=backend.brian2_network["node_0"].clock`` if they have a clock of their own choice. To
    step with `brian2.Network.run` instead, make a backend only for that, and run inside
    `neurorl.backends.brian2.preferences.exact_preferences`.

    Also raises BackendError if Brian2 can't generate or compile the network.
    """

    name: ClassVar[str] = "brian2"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"),
        exact_arithmetics=("float", "loihi"),
        engines=ENGINES,
        noises=NOISE_MODES,
    )

    def __init__(
        self,
        network: Network,
        *,
        seed: int | Sequence[int] = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        noise: str = "exact",
        weights: Mapping[str, npt.ArrayLike] | None = None,
        engine: str | None = None,
    ) -> None:
        self.engine = check_engine(engine)
        super().__init__(
            network, seed=seed, arithmetic=arithmetic, record=record, noise=noise, weights=weights
        )

    @property
    def brian2_network(self) -> Any:
        """Return the `brian2.Network` that is stepped; raise UnsupportedError on 'compiled'."""
        self.check_open()
        if isinstance(self._engine, Compiled):
            problem, remedy = "has no brian2.Network", "load with engine='cython' for monitors"
            raise UnsupportedError(say("engine 'compiled'", problem, remedy=remedy))
        return self._engine.network  # type: ignore[attr-defined]

    def source(self) -> str:
        """Return the generated model as readable text, in Brian2's own terms."""
        self.check_open()
        parts = [str(text) for text in texts(self._whole, self._arithmetic, self.n_replicas)]
        head = [
            f"# arithmetic {self.arithmetic_name!r}, dt = {self.network.dt:g} s",
            "# a step: groups, thresholds, synapses, resets",
        ]
        if self.engine == "compiled":
            head.append(
                "# compiled: the sums of Synapses are own code, before groups of the next step"
            )
        if self.n_replicas > 1:
            head.append(f"# {self.n_replicas} replicas: neuron i of replica k is k*size + i")
        for name in sorted(self.network.currents):
            head.append(f"# currents of {name!r}: added to the bias of neurons, for a window")
        if any("logistic(" in text for text in parts):
            head.append(
                "# logistic(i, step, stream, seed): a draw of neurorl.numerics.random, "
                "-10.4 to 10.4"
            )
        if any("draw(" in text for text in parts):
            head.append(
                "# draw(i, step, stream, seed): 32 bits of neurorl.numerics.random, 0 to 2**32 - 1"
            )
        return "\n\n".join(["\n".join(head), *parts]) + "\n"

    def close(self) -> None:
        super().close()
        if "_engine" in self.__dict__:
            self._engine.close()
            del self._engine

    def _build(self) -> None:
        """Make the engine, with all biases and weights in force."""
        run = replicate(self._coined, self.n_replicas)
        self._arithmetic = make_arithmetic(self.arithmetic_name, run, self.noise)
        self._coin_weights = self._rounded_coins(self._arithmetic)
        self._ahead = [0] * self.n_replicas  # steps of each replica, less those of the engine
        arguments = (self._whole, self._arithmetic, self.seeds, self.record, self._max_delay)
        self._engine: Engine
        if self.engine == "compiled":
            self._engine = Compiled(*arguments)
        else:
            try:
                from neurorl.backends.brian2.runtime import Runtime  # imports Brian2, so late
            except Exception as exc:  # a broken installation may raise anything
                remedy = "pip install brian2"
                raise BackendUnavailableError(
                    say("backend brian2", "brian2 doesn't import", got=exc, remedy=remedy)
                ) from exc
            self._engine = Runtime(*arguments, self.engine)
        for population in self.network.populations:
            self._write_bias(population.name)
        for p in self.network.spiking.projections:
            self._write_weights(p.name)

    def _write_weights(self, name: str) -> None:
        projection = self.network.projection(name)
        self._engine.write(name, self._arithmetic.transmitted(name, self._rounded[name]))
        if projection.signed:
            self._write_bias(projection.post)

    def _write_bias(self, population: str, current: FloatArray | None = None) -> None:
        bias = self._engine.variables[population]["bias"]
        bias[:] = self._arithmetic.bias(population, self._rounded | self._coin_weights, current)

    def _transmitted_memory(self, name: str) -> npt.NDArray[np.float64] | None:
        return None if self.network.projection(name).signed else self._engine.memory(name)

    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        return self._engine.step(inputs, n_steps)

    def _window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> Window:
        if isinstance(self._engine, Compiled):
            return CompiledWindow(self, self._engine, inputs, rasters, n_steps)
        return super()._window(inputs, rasters, n_steps)

    def _reset(self, replicas: Sequence[int]) -> None:
        """Silence the engine, or only some replicas, whose spikes in flight are then taken out."""
        if len(set(replicas)) == self.n_replicas:
            self._engine.reset()
            return
        rest = {name: self._engine.spikes(name) for name in self._engine.nodes}
        for k in replicas:
            for name, variables in self._engine.variables.items():
                for variable in DYNAMIC:
                    if variable in variables:
                        variables[variable][self._columns(name, k)] = 0
            for name, spikes in rest.items():
                spikes[:, self._columns(name, k)] = False
        self._engine.put_in_flight(rest)

    def _time(self, replica: int) -> int:
        return self._engine.t + self._ahead[replica]

    def _dynamic_state(self, replica: int) -> State:
        state: State = {
            f"{node.name}.spikes": self._engine.spikes(node.name)[
                :, self._columns(node.name, replica)
            ]
            for node in self.network.spiking.nodes
        }
        exact = np.float64 if self.arithmetic_name == "float" else np.int64
        for name, variables in self._engine.variables.items():
            columns = self._columns(name, replica)
            none = np.zeros(self.network.node(name).size, dtype=np.int64)
            state[f"{name}.current"] = variables["u"][columns].astype(exact)
            state[f"{name}.voltage"] = variables["v"][columns].astype(exact)
            dead = variables["dead"][columns] if "dead" in variables else none
            state[f"{name}.refractory"] = dead.copy()
        return state

    def _restore_dynamic(self, state: State, replica: int) -> None:
        flight = {name: self._engine.spikes(name) for name in self._engine.nodes}
        for name, spikes in flight.items():
            spikes[:, self._columns(name, replica)] = state[f"{name}.spikes"]
        self._set_time(int(state["t"]), replica)
        for name, variables in self._engine.variables.items():
            for key, variable in _KEYS.items():
                if variable in variables:
                    variables[variable][self._columns(name, replica)] = state[f"{name}.{key}"]
        self._engine.put_in_flight(flight)

    def _set_time(self, t: int, replica: int) -> None:
        """Set a replica's step counter.

        All replicas share the engine's steps, by which spikes are in flight; `_ahead` is the
        difference.
        """
        if self.n_replicas == 1:
            self._engine.t = t
            return
        self._ahead[replica] = t - self._engine.t
        for name, variables in self._engine.variables.items():
            if "ahead" in variables:
                variables["ahead"][self._columns(name, replica)] = self._ahead[replica]
