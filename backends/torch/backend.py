"""Define `TorchBackend`: a `SpikingModule` with hard spikes and shared draws, no gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.checks import Inputs
from neurorl.backends.torch.estimators import Score
from neurorl.backends.torch.inputs import Batch
from neurorl.backends.torch.module import ENGINES, SpikingModule, check_engine
from neurorl.backends.torch.noise import SharedNoise
from neurorl.network.description import Network
from neurorl.network.serialization import FloatArray

__all__ = ["TorchBackend"]


class TorchBackend(Backend):
    """Runs a network in PyTorch on the CPU, in float64; `module` is the same network for training.

    engine: as in `SpikingModule`. Other arguments as in `neurorl.backends.base.Backend`.
    """

    name: ClassVar[str] = "torch"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"), exact_arithmetics=("float", "loihi"), engines=ENGINES
    )

    def __init__(self, network: Network, *, engine: str | None = None, **options: Any) -> None:
        self.engine = check_engine(engine)
        super().__init__(network, **options)

    def module(self, **options: Any) -> SpikingModule:
        """Return a new module of this network with the effective weights.

        options: as in `SpikingModule`.

        After training, `put` brings its weights back.
        """
        seed = self.seeds if self._replicas else self.seed
        made = SpikingModule(self.network, seed=seed, **options)
        for name in self._rounded:
            made.set_weights(name, self.weights(name))
        return made

    def put(self, module: SpikingModule) -> None:
        """Set all weights to those of *module*, rounded."""
        for name in self._rounded:
            self.set_weights(name, module.weights(name))

    def _build(self) -> None:
        """Make the module, without gradients, and the noise of all replicas."""
        self._t = [0] * self.n_replicas
        self._module = SpikingModule(
            self.network,
            seed=self.seeds,
            arithmetic=self.arithmetic_name,
            dtype=torch.float64,
            estimator=Score(),
            engine=self.engine,
        ).requires_grad_(False)
        for name in self._rounded:
            self._module.set_weights(name, self._stacked(name))
        self._state = self._module.rest(1)
        self._noise = {
            p.name: SharedNoise(self.seeds, self.network.index(p.name), p.size)
            for p in self.network.populations
            if p.neuron.dynamics(p.size, self.network.dt).noise_width.any()
        }
        self._arithmetic = make_arithmetic(self.arithmetic_name, self._whole)
        self._bias: dict[str, torch.Tensor] = {}
        for p in self.network.populations:
            self._write_bias(p.name)

    def _write_weights(self, name: str) -> None:
        self._module.set_weights(name, self._stacked(name))
        projection = self.network.projection(name)
        if projection.signed:
            self._write_bias(projection.post)

    def _write_bias(self, population: str, current: FloatArray | None = None) -> None:
        bias = self._arithmetic.bias(population, self._rounded, current).astype(np.float64)
        self._bias[population] = torch.from_numpy(bias).view(self.n_replicas, 1, -1)

    @torch.no_grad()
    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        tensors = {
            name: torch.from_numpy(np.asarray(inputs[name], dtype=np.float64))
            for name in inputs
            if name not in self.network.currents
        }
        spikes = {
            k: x.view(n_steps, self.n_replicas, 1, -1).transpose(0, 1) for k, x in tensors.items()
        }
        noise = {name: draw(self._t, n_steps) for name, draw in self._noise.items()}
        batch = Batch(n_steps, 1, spikes, {})
        rasters, self._state = self._module.advance(batch, self._state, noise, bias=self._bias)
        self._t = [t + n_steps for t in self._t]
        shown = {k: rasters[k].transpose(0, 1).reshape(n_steps, -1) for k in self.record}
        return {k: raster.numpy().astype(np.bool_) for k, raster in shown.items()}

    def _reset(self, replicas: Sequence[int]) -> None:
        which = torch.zeros(self.n_replicas, 1, dtype=torch.bool)
        which[list(replicas)] = True
        self._state = self._state.silenced(which)

    def _time(self, replica: int) -> int:
        return self._t[replica]

    def _dynamic_state(self, replica: int) -> State:
        state: State = {}
        number = np.float64 if self.arithmetic_name == "float" else np.int64
        for name, spikes in self._state.spikes.items():
            state[f"{name}.spikes"] = spikes[replica, :, 0].numpy().astype(np.bool_)
        for name, cells in self._state.cells.items():
            state[f"{name}.current"] = cells.u[replica, 0].numpy().astype(number)
            state[f"{name}.voltage"] = cells.v[replica, 0].numpy().astype(number)
            dead = cells.blocked[:, replica, 0].sum(dim=0)
            state[f"{name}.refractory"] = dead.numpy().astype(np.int64)
        return state

    def _restore_dynamic(self, state: State, replica: int) -> None:
        self._t[replica] = int(state["t"])
        restored = self._state.map(torch.clone)
        for name, spikes in restored.spikes.items():
            spikes[replica, :, 0] = torch.from_numpy(np.asarray(state[f"{name}.spikes"], float))
        for name, cells in restored.cells.items():
            cells.u[replica, 0] = torch.from_numpy(np.asarray(state[f"{name}.current"], float))
            cells.v[replica, 0] = torch.from_numpy(np.asarray(state[f"{name}.voltage"], float))
            left = torch.from_numpy(np.asarray(state[f"{name}.refractory"]))
            steps = torch.arange(len(cells.blocked))
            cells.blocked[:, replica, 0] = (left > steps[:, None]).to(torch.float64)
        self._state = restored
