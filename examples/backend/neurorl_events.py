"""Add a backend to neurorl in one file: neurons are stepped by NumPy, and only spikes cost.

It declares what it can't do (delays, signed projections, currents, chip arithmetic) in
`capabilities`, and neurorl refuses such networks before anything is built.
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
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import DrawRows

__all__ = ["EventsSimulator"]


class Cells:
    """Hold the neurons of one population in all replicas: current u, voltage v, dead steps left."""

    def __init__(self, population: Population, dt: float, noise: list[DrawRows]) -> None:
        self.integrator = population.integrator(dt)
        self.bias: npt.NDArray[Any] = self.integrator.bias
        self.u = np.zeros(population.size)
        self.v = np.zeros(population.size)
        self.dead = np.zeros(population.size, dtype=np.int64)
        self._noise = noise if self.integrator.noise_width.any() else []

    def update(self, q: FloatArray, steps: Sequence[int]) -> Raster:
        """Make one step with the input q, in the order that `Simulator` promises."""
        d = self.integrator
        self.u = d.current_decay * self.u + q
        self.v = d.membrane_decay * self.v + self.u + self.bias
        self.v[self.dead > 0] = 0.0
        level = self.v
        if self._noise:
            draws = [draw(step) for draw, step in zip(self._noise, steps, strict=True)]
            level = self.v + d.noise_width * np.concatenate(draws)
        spikes: Raster = (level > d.threshold) & (self.dead == 0)
        self.dead = np.maximum(self.dead - 1, 0)
        self.dead[spikes] = d.refractory_steps[spikes]
        self.v[spikes] = 0.0
        return spikes


class EventsSimulator(Simulator):
    """Run a network in which every spike adds its row of weights to the next step's input."""

    name: ClassVar[str] = "events"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float",),
        exact_arithmetics=("float",),
        delays=False,
        signed=False,
        currents=False,
    )

    def build(self, simulated: SimulatedNetwork) -> None:
        network, self.simulated = simulated.whole, simulated
        self._t = [0] * simulated.n_replicas
        self._last = {node.name: np.zeros(node.size, dtype=bool) for node in network.nodes}
        self._cells = {
            p.name: Cells(p, network.dt, simulated.draws(p.name)) for p in network.populations
        }
        self._weights: dict[str, npt.NDArray[Any]] = {}
        self.put_in_force(simulated)

    def write_weights(self, projection: str) -> None:
        self._weights[projection] = self.simulated.transmitted(projection)

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        self._cells[population].bias = bias

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        record = self.simulated.record
        out = {name: np.zeros((n_steps, len(self._last[name])), bool) for name in record}
        for k in range(n_steps):
            now = {source.name: inputs[source.name][k] for source in self.simulated.whole.sources}
            for name, cells in self._cells.items():
                now[name] = cells.update(self._received(name), self._t)
            for name in record:
                out[name][k] = now[name]
            self._last = now
            self._t = [t + 1 for t in self._t]
        return out

    def _received(self, population: str) -> FloatArray:
        """Return the sum of the weights of the last step's spikes."""
        q = np.zeros(self._cells[population].u.shape)
        for p in self.simulated.whole.projections:
            if p.post != population:
                continue
            weights = self._weights[p.name].reshape(p.blocks, -1, len(q) // p.blocks)
            for i in self._last[p.pre].nonzero()[0]:
                block, row = divmod(i, weights.shape[1])
                q.reshape(p.blocks, -1)[block] += weights[block, row]
        return q

    def reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            for variable in self._variables(k).values():
                variable[...] = 0

    def time(self, replica: int) -> int:
        return self._t[replica]

    def state(self, replica: int) -> State:
        return {key: variable.copy() for key, variable in self._variables(replica).items()}

    def restore(self, state: State, replica: int) -> None:
        self._t[replica] = int(state["t"])
        for key, variable in self._variables(replica).items():
            variable[...] = state[key]

    def _variables(self, replica: int) -> State:
        """Return a replica's state as views into that of all."""
        self._last = {name: spikes.copy() for name, spikes in self._last.items()}  # a caller's
        views: State = {}
        for name, spikes in self._last.items():
            views[f"{name}.spikes"] = spikes[None, self.simulated.columns(name, replica)]
        for name, cells in self._cells.items():
            columns = self.simulated.columns(name, replica)
            views[f"{name}.current"] = cells.u[columns]
            views[f"{name}.voltage"] = cells.v[columns]
            views[f"{name}.refractory"] = cells.dead[columns]
        return views
