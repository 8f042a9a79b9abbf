"""Define `ReferenceBackend`: a network stepped by NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import NOISE_MODES, UniformRows, coin_rows
from neurorl.arithmetic.rounding import ChipArithmetic, make_arithmetic
from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.checks import Inputs
from neurorl.backends.reference.neurons import ChipNeurons, FloatNeurons, Neurons
from neurorl.backends.reference.noise import ReplicaNoise
from neurorl.network.description import Network, Population
from neurorl.network.replicate import replicate
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import NoiseRows

__all__ = ["ReferenceBackend"]


class ReferenceBackend(Backend):
    """Runs a network in NumPy, in both arithmetics; short enough to define the semantics."""

    name: ClassVar[str] = "reference"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"),
        exact_arithmetics=("float", "loihi"),
        engines=("numpy",),
        noises=NOISE_MODES,
    )

    def _build(self) -> None:
        """Make all populations and projections, at rest."""
        self._t = [0] * self.n_replicas
        run = replicate(self._coined, self.n_replicas)
        self._arithmetic = make_arithmetic(self.arithmetic_name, run, self.noise)
        self._neurons = {p.name: self._make_neurons(p) for p in run.populations}
        # The last spikes of every node, newest last, for as many steps as its longest delay.
        self._spikes = {
            node.name: np.zeros((self._max_delay.get(node.name, 1), node.size), dtype=bool)
            for node in run.spiking.nodes
        }
        self._incoming = {
            name: [
                (p.name, p.pre, self._coined.delay_steps(p.name), p.blocks)
                for p in run.spiking.projections
                if p.post == name
            ]
            for name in self._neurons
        }
        # float64 in both arithmetics: sums of integers or of grid weights are exact in it, and BLAS
        # has no integer product. Always the same arrays, as others may write to them.
        self._transmitted = {
            p.name: np.zeros(self._rounded[p.name].shape) for p in self._whole.spiking.projections
        }
        self._build_coins(run)
        for name in self._rounded:
            if name in self._transmitted:
                self._write_weights(name)

    def _build_coins(self, run: Network) -> None:
        """Prepare coins; they stand where spikes of the step before would."""
        rows = [coin_rows(self.network, self._coins, seed) for seed in self.seeds]
        self._tossed = {
            name: ReplicaNoise([row[name] for row in rows]) for name in self._coins.values()
        }
        self._coin_weights = self._rounded_coins(self._arithmetic)
        for name, weights in self._coin_weights.items():
            self._transmitted[name] = self._arithmetic.transmitted(name, weights).astype(np.float64)
            self._write_bias(run.projection(name).post)

    def _make_neurons(self, population: Population) -> FloatNeurons | ChipNeurons:
        """Return the state and noise of a population of all replicas."""
        one = self.network.node(population.name).size
        stream = self.network.index(population.name)
        rows = NoiseRows if self.noise == "exact" else UniformRows
        noise = ReplicaNoise([rows(seed, stream, one) for seed in self.seeds])
        if isinstance(self._arithmetic, ChipArithmetic):
            return ChipNeurons(self._arithmetic.chip.populations[population.name], noise)
        return FloatNeurons(population.neuron.dynamics(population.size, self._whole.dt), noise)

    def _write_weights(self, name: str) -> None:
        self._transmitted[name][:] = self._arithmetic.transmitted(name, self._rounded[name])
        projection = self.network.projection(name)
        if projection.signed:
            self._write_bias(projection.post)

    def _write_bias(self, population: str, current: FloatArray | None = None) -> None:
        weights = self._rounded | self._coin_weights
        bias = self._arithmetic.bias(population, weights, current)
        self._neurons[population].bias = bias

    def _transmitted_memory(self, name: str) -> npt.NDArray[np.float64] | None:
        signed = self.network.projection(name).signed
        return None if signed else self._transmitted[name].reshape(-1)

    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance: all populations from spikes of earlier steps, then new spikes join."""
        out = {name: np.empty((n_steps, self._whole.node(name).size), bool) for name in self.record}
        for k in range(n_steps):
            now = {s.name: inputs[s.name][k] for s in self._whole.spiking.sources}
            for name, toss in self._tossed.items():
                self._spikes[name][-1] = toss(self._t)
            for name, neurons in self._neurons.items():
                now[name] = neurons.update(self._drive(name, neurons), self._t)
            for name, spikes in now.items():
                past = self._spikes[name]
                past[:-1] = past[1:]
                past[-1] = spikes
            for name in self.record:
                out[name][k] = now[name]
            self._t = [t + 1 for t in self._t]
        return out

    def _drive(self, name: str, neurons: Neurons) -> npt.NDArray[np.generic]:
        """Return the sum of the weights of the spikes that arrive at a population in this step."""
        q = np.zeros(neurons.u.shape)
        for projection, pre, delay, blocks in self._incoming[name]:
            spikes = self._spikes[pre][-delay].astype(np.float64)
            weights = self._transmitted[projection]
            if blocks == 1:
                q += spikes @ weights
            else:
                q += (spikes.reshape(blocks, 1, -1) @ weights).ravel()
        return q.astype(neurons.u.dtype, copy=False)

    def _reset(self, replicas: Sequence[int]) -> None:
        for name, spikes in self._own_spikes():
            for k in replicas:
                spikes[:, self._columns(name, k)] = False
        for name, neurons in self._neurons.items():
            for k in replicas:
                for variable in (neurons.u, neurons.v, neurons.dead):
                    variable[self._columns(name, k)] = 0

    def _own_spikes(self) -> list[tuple[str, Raster]]:
        """Return the nodes' spikes without coins, which are a function of the step."""
        return [(k, spikes) for k, spikes in self._spikes.items() if k not in self._tossed]

    def _time(self, replica: int) -> int:
        return self._t[replica]

    def _dynamic_state(self, replica: int) -> State:
        state: State = {}
        for name, spikes in self._own_spikes():
            state[f"{name}.spikes"] = spikes[:, self._columns(name, replica)].copy()
        for name, neurons in self._neurons.items():
            columns = self._columns(name, replica)
            state[f"{name}.current"] = neurons.u[columns].copy()
            state[f"{name}.voltage"] = neurons.v[columns].copy()
            state[f"{name}.refractory"] = neurons.dead[columns].copy()
        return state

    def _restore_dynamic(self, state: State, replica: int) -> None:
        self._t[replica] = int(state["t"])
        for name, spikes in self._own_spikes():
            spikes[:, self._columns(name, replica)] = state[f"{name}.spikes"]
        for name, neurons in self._neurons.items():
            columns = self._columns(name, replica)
            neurons.u[columns] = state[f"{name}.current"]
            neurons.v[columns] = state[f"{name}.voltage"]
            neurons.dead[columns] = state[f"{name}.refractory"]
