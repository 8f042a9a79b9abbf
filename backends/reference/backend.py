"""`ReferenceBackend`: a network stepped by NumPy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.reference.neurons import ChipNeurons, FloatNeurons, Neurons
from neurorl.description import Population
from neurorl.random import NoiseRows

__all__ = ["ReferenceBackend"]


class ReferenceBackend(Backend):
    """NumPy, both arithmetics; short enough to be the definition of the semantics."""

    name: ClassVar[str] = "reference"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"), exact_arithmetics=("float", "loihi"), engines=("numpy",)
    )

    def _build(self) -> None:
        self._t = 0
        self._neurons = {p.name: self._make_neurons(p) for p in self.network.populations}
        # The last spikes of every node, newest last: as many steps as its longest delay.
        self._spikes = {
            node.name: np.zeros((self._max_delay[node.name], node.size), dtype=bool)
            for node in self.network.nodes
        }
        self._incoming = {
            name: [
                (p.name, p.pre, self.network.delay_steps(p.name), p.blocks)
                for p in self.network.projections
                if p.post == name
            ]
            for name in self._neurons
        }
        self._transmitted: dict[str, npt.NDArray[np.float64]] = {}
        for name in self._rounded:
            self._write_weights(name)

    def _make_neurons(self, population: Population) -> FloatNeurons | ChipNeurons:
        noise = NoiseRows(self.seed, self.network.index(population.name), population.size)
        if isinstance(self.arithmetic, ChipArithmetic):
            return ChipNeurons(self.arithmetic.chip.populations[population.name], noise)
        return FloatNeurons(population.neuron.dynamics(population.size, self.network.dt), noise)

    def _write_weights(self, name: str) -> None:
        # float64 in both arithmetics: its sums of integers or of grid weights are exact, and BLAS
        # has no integer product.
        value = self.arithmetic.transmitted(name, self._rounded[name])
        self._transmitted[name] = np.asarray(value, dtype=np.float64)
        projection = self.network.projection(name)
        if projection.signed:
            post = projection.post
            self._neurons[post].bias = self.arithmetic.bias(post, self._rounded)

    def _step(self, inputs: dict[str, Raster], n_steps: int) -> dict[str, Raster]:
        out = {
            name: np.empty((n_steps, self.network.node(name).size), bool) for name in self.record
        }
        for k in range(n_steps):
            now = {name: raster[k] for name, raster in inputs.items()}
            for name, neurons in self._neurons.items():
                now[name] = neurons.update(self._drive(name, neurons), self._t)
            for name, spikes in now.items():
                past = self._spikes[name]
                past[:-1] = past[1:]
                past[-1] = spikes
            for name in self.record:
                out[name][k] = now[name]
            self._t += 1
        return out

    def _drive(self, name: str, neurons: Neurons) -> npt.NDArray[np.generic]:
        """The sum of the weights of the spikes that arrive at a population in this step."""
        q = np.zeros(neurons.u.shape)
        for projection, pre, delay, blocks in self._incoming[name]:
            spikes = self._spikes[pre][-delay].astype(np.float64)
            weights = self._transmitted[projection]
            if blocks == 1:
                q += spikes @ weights
            else:
                q += (spikes.reshape(blocks, 1, -1) @ weights).ravel()
        return q.astype(neurons.u.dtype, copy=False)

    def _reset(self) -> None:
        for neurons in self._neurons.values():
            neurons.reset()
        for spikes in self._spikes.values():
            spikes[:] = False

    def _time(self) -> int:
        return self._t

    def _dynamic_state(self) -> State:
        state: State = {f"{name}.spikes": s.copy() for name, s in self._spikes.items()}
        for name, neurons in self._neurons.items():
            state[f"{name}.current"] = neurons.u.copy()
            state[f"{name}.voltage"] = neurons.v.copy()
            state[f"{name}.refractory"] = neurons.dead.copy()
        return state

    def _restore_dynamic(self, state: State) -> None:
        self._t = int(state["t"])
        for name, spikes in self._spikes.items():
            spikes[:] = state[f"{name}.spikes"]
        for name, neurons in self._neurons.items():
            neurons.u = state[f"{name}.current"].astype(neurons.u.dtype)
            neurons.v = state[f"{name}.voltage"].astype(neurons.v.dtype)
            neurons.dead = state[f"{name}.refractory"].astype(np.int64)
