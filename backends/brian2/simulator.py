"""Define `Brian2Simulator`: a network generated as Brian2 equations and stepped in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import NOISE_MODES
from neurorl.backends.brian2 import fingerprint
from neurorl.backends.brian2.engine import DEAD, Engine
from neurorl.backends.brian2.engines import ENGINES, check_engine, find_engine, hindrance
from neurorl.backends.brian2.equation_neurons import neuron_names
from neurorl.backends.brian2.plan import texts
from neurorl.backends.brian2.short_term import MOST_DELAY, Names
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import VARIABLES, Simulator, State
from neurorl.backends.window import Raster, WindowCall
from neurorl.native.background import Building
from neurorl.network.description import Population

__all__ = ["Brian2Simulator"]

# Fails without Brian2, so that importing this module shows whether the backend is available. Brian2
# itself is imported only where it is needed, as that takes a second.
fingerprint.version()

_FUNCTIONS = {
    "logistic": "a draw of neurorl.numerics.random, -10.4 to 10.4",
    "draw": "32 bits of neurorl.numerics.random, 0 to 2**32 - 1",
}


class Brian2Simulator(Simulator):
    """Run a network on Brian2 by one of three engines, each equal to the reference in every bit.

    engine: ``'compiled'`` (the whole network as one C++ library; compiles for seconds once for each
        kind and size of network, then cached), ``'cython'`` (compiles for tens of seconds once for
        each kind, not for each size; then cached) or ``'numpy'`` (starts at once). None takes the
        first that works, and warns once if that isn't the first of all. As an attribute of a
        backend, the one that runs.

    `source` shows the equations. `brian2_network`, not with the engine ``'compiled'``, is the real
    `brian2.Network`: add monitors to it at any time, with
    ``clock=backend.brian2_network["node_0"].clock`` if they have a clock of their own choice. To
    step with `brian2.Network.run` instead, make a backend only for that, and run inside
    `neurorl.backends.brian2.preferences.exact_preferences`.

    `build` raises BackendError if Brian2 can't generate or compile the network.
    """

    name: ClassVar[str] = "brian2"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"),
        exact_arithmetics=("float", "loihi"),
        engines=ENGINES,
        noises=NOISE_MODES,
        equations=True,
        sparse=True,
        synapse_delays=True,
        short_term=MOST_DELAY,
    )
    keeps_signs: ClassVar[tuple[str, ...]] = ("dead",)
    shown: ClassVar[tuple[str, ...]] = ("engine", "brian2_network")

    def __init__(self, engine: str | None = None) -> None:
        check_engine(engine)
        self.engine, self._is_asked_for = engine, engine is not None

    @classmethod
    def hindrance(cls) -> str | None:
        """Return why the compiled engine can't run here."""
        return hindrance()

    def begin(self, simulated: SimulatedNetwork) -> Building | None:
        """Begin to compile the library of the network, unless the engine was asked for by name."""
        return None if self._is_asked_for else find_engine(None).begin(simulated)

    @property
    def brian2_network(self) -> Any:
        """Return the `brian2.Network` that is stepped; raise UnsupportedError on 'compiled'."""
        return self.running.network

    def build(self, simulated: SimulatedNetwork) -> None:
        """Make the engine, and write all biases and weights."""
        kind = find_engine(self.engine)
        self.engine = kind.name
        self.simulated = simulated
        self._ahead = [0] * simulated.n_replicas  # steps of each replica, less those of the engine
        self.running: Engine = kind.make(simulated)
        self._keys = {p.name: _keys(p, simulated.network.dt) for p in simulated.network.populations}
        self._short_term = {
            p.name: (p.pre, Names.of(simulated.network, p))
            for p in simulated.network.projections
            if p.short_term is not None
        }
        self.put_in_force(simulated)

    def source(self) -> str:
        """Return the generated model as readable text, in Brian2's own terms."""
        simulated = self.simulated
        network, n_replicas = simulated.network, simulated.n_replicas
        parts = [str(t) for t in texts(simulated.whole, simulated.whole_arithmetic, n_replicas)]
        head = [
            f"# arithmetic {simulated.arithmetic_name!r}, dt = {network.dt:g} s",
            "# a step: groups, thresholds, synapses, resets",
            *self.running.remarks,
        ]
        if n_replicas > 1:
            head.append(f"# {n_replicas} replicas: neuron i of replica k is k*size + i")
        for name in sorted(network.currents):
            head.append(f"# currents of {name!r}: added to the bias of neurons, for a window")
        for function, meaning in _FUNCTIONS.items():
            if any(f"{function}(" in text for text in parts):
                head.append(f"# {function}(i, step, stream, seed): {meaning}")
        return "\n\n".join(["\n".join(head), *parts]) + "\n"

    def close(self) -> None:
        self.running.close()
        del self.running

    def write_weights(self, projection: str) -> None:
        self.running.write(projection, self.simulated.transmitted(projection))

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        variables = self.running.variables[population]
        if "bias" in variables:  # equations may have none
            variables["bias"][:] = bias

    def variables(self, population: str) -> State:
        arrays, keys = self.running.variables[population], self._keys[population]
        return {key: arrays[name] for key, name in keys.items() if name != DEAD}

    def levels(self, projection: str, unit: float) -> npt.NDArray[np.int32] | None:
        return self.running.levels(projection, unit)

    def held(self, projection: str) -> npt.NDArray[np.float64] | None:
        signed = self.simulated.network.projection(projection).signed
        return None if signed else self.running.held(projection)

    def memory(self, projection: str) -> npt.NDArray[np.float64] | None:
        signed = self.simulated.network.projection(projection).signed
        return None if signed else self.running.memory(projection)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        return self.running.step(inputs, n_steps)

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall | None:
        return self.running.window(inputs, rasters, n_steps)

    def reset(self, replicas: Sequence[int]) -> None:
        """Silence the engine, or only some replicas, whose spikes in flight are then removed."""
        if len(set(replicas)) == self.simulated.n_replicas:
            self.running.reset()
            return
        if self.running.reset_replicas(replicas, self.simulated.n_replicas):
            return
        rest = {name: self.running.spikes(name) for name in self.running.nodes}
        for k in replicas:
            for name in self.running.variables:
                self.running.rest(name, self.simulated.columns(name, k))
            for name, spikes in rest.items():
                spikes[:, self.simulated.columns(name, k)] = False
        self.running.put_in_flight(rest)

    def time(self, replica: int) -> int:
        return self.running.t + self._ahead[replica]

    def state(self, replica: int) -> State:
        simulated, engine = self.simulated, self.running
        state: State = {
            f"{name}.spikes": engine.spikes(name)[:, simulated.columns(name, replica)]
            for name in engine.nodes
        }
        for name, keys in self._keys.items():
            columns, variables = simulated.columns(name, replica), engine.variables[name]
            none = np.zeros(simulated.network.node(name).size, dtype=np.int64)
            for key, variable in keys.items():
                dtype = np.int64 if variable == DEAD else simulated.dtype
                values = variables[variable][columns] if variable in variables else none
                state[f"{name}.{key}"] = values.astype(dtype)
        for name, (pre, names) in self._short_term.items():
            columns, variables = simulated.columns(pre, replica), engine.variables[pre]
            spikes = state[f"{pre}.spikes"][-len(names.release) :]
            released = np.stack([variables[age][columns] for age in names.release[::-1]])
            state[f"{name}.u"] = variables[names.u][columns].copy()
            state[f"{name}.used"] = variables[names.used][columns].copy()
            state[f"{name}.release"] = np.where(spikes, released, 0.0)
        return state

    def restore(self, state: State, replica: int) -> None:
        flight = {name: self.running.spikes(name) for name in self.running.nodes}
        for name, spikes in flight.items():
            spikes[:, self.simulated.columns(name, replica)] = state[f"{name}.spikes"]
        self._set_time(int(state["t"]), replica)
        for name, variables in self.running.variables.items():
            for key, variable in self._keys.get(name, {}).items():
                if variable in variables:
                    columns = self.simulated.columns(name, replica)
                    variables[variable][columns] = state[f"{name}.{key}"]
        for name, (pre, names) in self._short_term.items():
            columns, variables = self.simulated.columns(pre, replica), self.running.variables[pre]
            variables[names.u][columns] = state[f"{name}.u"]
            variables[names.used][columns] = state[f"{name}.used"]
            for variable, row in zip(names.release, state[f"{name}.release"][::-1], strict=True):
                variables[variable][columns] = row
        self.running.put_in_flight(flight)

    def _set_time(self, t: int, replica: int) -> None:
        """Set a replica's step counter.

        All replicas share the engine's steps, by which spikes are in flight; `_ahead` is the
        difference.
        """
        if self.simulated.n_replicas == 1:
            self.running.t = t
            return
        self._ahead[replica] = t - self.running.t
        for name, variables in self.running.variables.items():
            if "ahead" in variables:
                columns = self.simulated.columns(name, replica)
                variables["ahead"][columns] = self._ahead[replica]


def _keys(population: Population, dt: float) -> dict[str, str]:
    """Return a population's variables in Brian2 by their names in a state."""
    plan = population.plan(dt)
    if plan is None:
        return dict(zip(VARIABLES, ("u", "v", DEAD), strict=True))
    names = neuron_names(plan)
    return {x: names[x] for x in plan.initial} | {"refractory": DEAD}
