"""A backend for neurorl in one file: neurons are stepped by NumPy, and only spikes cost.

What it can't do (delays, signed projections, currents, chip arithmetic) it says in `capabilities`,
and neurorl refuses such networks before anything is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.checks import Inputs
from neurorl.network.description import Population
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import NoiseRows

__all__ = ["EventsBackend"]


class Cells:
    """The neurons of one population, of all replicas: current u, voltage v, dead steps left."""

    def __init__(self, population: Population, dt: float, noise: list[NoiseRows]) -> None:
        self.dynamics = population.neuron.dynamics(population.size, dt)
        self.bias = self.dynamics.bias
        self.u = np.zeros(population.size)
        self.v = np.zeros(population.size)
        self.dead = np.zeros(population.size, dtype=np.int64)
        self._noise = noise if self.dynamics.noise_width.any() else []

    def update(self, q: FloatArray, steps: Sequence[int]) -> Raster:
        """One step with the input q, in the order that `Backend` promises."""
        d = self.dynamics
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


class EventsBackend(Backend):
    """Every spike adds its row of weights to what the next step's neurons receive."""

    name: ClassVar[str] = "events"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float",),
        exact_arithmetics=("float",),
        delays=False,
        signed=False,
        currents=False,
    )

    def _build(self) -> None:
        network = self._whole
        self._t = [0] * self.n_replicas
        self._last = {node.name: np.zeros(node.size, dtype=bool) for node in network.nodes}
        self._cells = {p.name: Cells(p, network.dt, self._draws(p)) for p in network.populations}

    def _draws(self, population: Population) -> list[NoiseRows]:
        """The draws of every replica; the same on all backends for the same seed."""
        size = self.network.node(population.name).size
        stream = self.network.index(population.name)
        return [NoiseRows(seed, stream, size) for seed in self.seeds]

    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        out = {name: np.zeros((n_steps, len(self._last[name])), bool) for name in self.record}
        for k in range(n_steps):
            now = {source.name: inputs[source.name][k] for source in self._whole.sources}
            for name, cells in self._cells.items():
                now[name] = cells.update(self._received(name), self._t)
            for name in self.record:
                out[name][k] = now[name]
            self._last = now
            self._t = [t + 1 for t in self._t]
        return out

    def _received(self, population: str) -> FloatArray:
        """The weights of the last step's spikes; `_rounded` has those in force."""
        q = np.zeros(self._cells[population].u.shape)
        for p in self._whole.projections:
            if p.post != population:
                continue
            weights = self._rounded[p.name].reshape(p.blocks, -1, len(q) // p.blocks)
            for i in self._last[p.pre].nonzero()[0]:
                block, row = divmod(i, weights.shape[1])
                q.reshape(p.blocks, -1)[block] += weights[block, row]
        return q

    def _reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            for name, spikes in self._last.items():
                self._last[name] = spikes.copy()  # it may be a caller's array
                self._last[name][self._columns(name, k)] = False
            for name, cells in self._cells.items():
                for variable in (cells.u, cells.v, cells.dead):
                    variable[self._columns(name, k)] = 0

    def _write_weights(self, name: str) -> None:
        """Nothing to do: `_received` reads `_rounded`."""

    def _write_bias(self, population: str, current: FloatArray | None = None) -> None:
        """Nothing to do: only signed projections and currents change a bias."""

    def _time(self, replica: int) -> int:
        return self._t[replica]

    def _dynamic_state(self, replica: int) -> State:
        state: State = {}
        for name, spikes in self._last.items():
            state[f"{name}.spikes"] = spikes[self._columns(name, replica)][None].copy()
        for name, cells in self._cells.items():
            mine = self._columns(name, replica)
            state[f"{name}.current"] = cells.u[mine].copy()
            state[f"{name}.voltage"] = cells.v[mine].copy()
            state[f"{name}.refractory"] = cells.dead[mine].copy()
        return state

    def _restore_dynamic(self, state: State, replica: int) -> None:
        self._t[replica] = int(state["t"])
        for name, spikes in self._last.items():
            self._last[name] = spikes.copy()
            self._last[name][self._columns(name, replica)] = state[f"{name}.spikes"][-1]
        for name, cells in self._cells.items():
            mine = self._columns(name, replica)
            cells.u[mine] = state[f"{name}.current"]
            cells.v[mine] = state[f"{name}.voltage"]
            cells.dead[mine] = state[f"{name}.refractory"]
