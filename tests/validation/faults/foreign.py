"""Run networks as a third party would, from `neurorl.backends.simulator`, in plain NumPy.

It takes nothing from the reference. Small methods, so that a fault is one of them overridden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.network.description import Population
from neurorl.network.neuron import Integrator
from neurorl.numerics.random import NoiseRows

Array = npt.NDArray[Any]


class Cells:
    """Step neurons of one population. dynamics: as described, or what a fault makes of them."""

    def __init__(self, backend: Foreign, population: Population) -> None:
        self.backend, self.name, self.size = backend, population.name, population.size
        described = population.integrator(backend.network.dt)
        self.d = backend.dynamics(population.name, described)
        self.described = described
        self.bias: Array = self.d.bias
        self.u = np.zeros(population.size)
        self.v = np.zeros(population.size)
        self.dead = np.zeros(population.size, dtype=np.int64)
        self.noise = NoiseRows(
            backend.noise_seed(), backend.network.index(population.name), population.size
        )

    def update(self, q: Array) -> Raster:
        """Step once."""
        self.u = self.current(q)
        self.v = self.membrane()
        self.hold()
        level = self.level()
        spikes = self.over(level)
        self.dead = np.maximum(self.dead - 1, 0)
        self.dead[spikes] = self.d.refractory_steps[spikes]
        self.reset(spikes)
        return spikes

    def current(self, q: Array) -> Array:
        return np.asarray(self.d.current_decay * self.u + q)

    def membrane(self) -> Array:
        return np.asarray(self.d.membrane_decay * self.v + self.u + self.bias)

    def hold(self) -> None:
        self.v[self.dead > 0] = 0.0

    def level(self) -> Array:
        if not self.d.noise_width.any():
            return self.v
        return np.asarray(self.v + self.d.noise_width * self.draw())

    def draw(self) -> Array:
        return self.noise(self.backend.noise_step(self.name))

    def over(self, level: Array) -> Raster:
        return np.asarray((level > self.d.threshold) & (self.dead == 0))

    def reset(self, spikes: Raster) -> None:
        self.v[spikes] = 0.0


class Foreign(Simulator):
    """Run one network, without replicas side by side."""

    name: ClassVar[str] = "foreign"
    capabilities: ClassVar[Capabilities] = Capabilities(("float",), ("float",))
    cells: ClassVar[type[Cells]] = Cells

    def build(self, simulated: SimulatedNetwork) -> None:
        self.simulated, self.network = simulated, simulated.network
        self.seed = simulated.seeds[0]
        self.steps = self.calls = self.resets = self.writes = 0
        self.now = 0
        self.sent = {
            node.name: np.zeros((self.depth(node.name), node.size), bool)
            for node in self.network.spiking.nodes
        }
        self.neurons = {p.name: self.cells(self, p) for p in self.network.populations}
        self.w: dict[str, Array] = {name: w.copy() for name, w in simulated.weights.items()}
        self.in_bias = dict(self.w)  # the weights that biases know of
        self.given: dict[str, Array] = {}
        for population in self.network.populations:
            self.write_bias(population.name, simulated.bias(population.name))

    # What a fault overrides.

    def dynamics(self, population: str, described: Integrator) -> Integrator:
        return described

    def noise_seed(self) -> int:
        return self.seed

    def noise_step(self, population: str) -> int:
        return self.now

    def delay(self, projection: str) -> int:
        return self.network.delay_steps(projection)

    def depth(self, node: str) -> int:
        return self.simulated.depths[node]

    def transmits(self, projection: str) -> Array:
        signed = self.network.projection(projection).signed
        return self.w[projection] * (2.0 if signed else 1.0)

    def drive(self, population: str) -> Array:
        q = np.zeros(self.network.node(population).size)
        for p in self.network.spiking.projections:
            if p.post == population:
                q += self.drive_of(p.name)
        return q

    def drive_of(self, projection: str) -> Array:
        p = self.network.projection(projection)
        spikes = self.sent[p.pre][-self.delay(projection)].astype(float)
        w = self.transmits(projection).reshape(
            p.blocks, -1, self.network.node(p.post).size // p.blocks
        )
        return np.asarray(np.einsum("bi,bij->bj", spikes.reshape(p.blocks, -1), w).ravel())

    def begin_call(self) -> None:
        """Act before the steps of a call."""

    def end_call(self) -> None:
        """Act after the steps of a call."""

    def silence(self) -> None:
        for spikes in self.sent.values():
            spikes[:] = False
        for cells in self.neurons.values():
            for x in (cells.u, cells.v, cells.dead):
                x[:] = 0

    def take(self, projection: str, weights: Array) -> None:
        """Write weights after the first ones."""
        self.w[projection] = weights
        self.refresh(projection)

    def refresh(self, projection: str) -> None:
        """Return the bias of signed projections."""
        self.in_bias[projection] = self.w[projection]
        self.put_bias(self.network.projection(projection).post)

    # The contract.

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        out: dict[str, list[Raster]] = {name: [] for name in self.simulated.record}
        self.begin_call()
        for k in range(n_steps):
            now = {s.name: np.array(inputs[s.name][k]) for s in self.network.spiking.sources}
            for name, cells in self.neurons.items():
                now[name] = cells.update(self.drive(name))
            for name, spikes in now.items():
                self.sent[name] = np.vstack([self.sent[name][1:], spikes])
            for name in self.simulated.record:
                out[name].append(now[name].copy())
            self.now += 1
            self.steps += 1
        self.end_call()
        self.calls += 1
        return {name: np.array(rows) for name, rows in out.items()}

    def reset(self, replicas: Sequence[int]) -> None:
        self.silence()
        self.resets += 1

    def write_weights(self, projection: str) -> None:
        self.take(projection, self.simulated.weights[projection].copy())
        self.writes += 1

    def write_bias(self, population: str, bias: Array) -> None:
        self.given[population] = bias
        self.put_bias(population)

    def put_bias(self, population: str) -> None:
        """Return what was given, but for the fault: other neurons, or weights that came late."""
        cells = self.neurons[population]
        right = self._silence(population, cells.described.bias, self.simulated.weights)
        here = self._silence(population, cells.d.bias, self.in_bias)
        cells.bias = self.given[population] + (here - right)

    def _silence(self, population: str, bias: Array, weights: dict[str, Array]) -> Array:
        """Return the bias with what the silence of signed projections transmits."""
        for p in self.network.projections:
            if p.signed and p.post == population:
                bias = bias - weights[p.name].sum(axis=-2).ravel()
        return bias

    def time(self, replica: int) -> int:
        return self.now

    def state(self, replica: int) -> State:
        state: State = {f"{name}.spikes": spikes.copy() for name, spikes in self.sent.items()}
        for name, cells in self.neurons.items():
            state[f"{name}.current"] = cells.u.copy()
            state[f"{name}.voltage"] = cells.v.copy()
            state[f"{name}.refractory"] = cells.dead.copy()
        return state

    def restore(self, state: State, replica: int) -> None:
        self.now = int(state["t"])
        for name in self.sent:
            self.sent[name] = np.array(state[f"{name}.spikes"])
        for name, cells in self.neurons.items():
            cells.u = np.array(state[f"{name}.current"])
            cells.v = np.array(state[f"{name}.voltage"])
            cells.dead = np.array(state[f"{name}.refractory"])
