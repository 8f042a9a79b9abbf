"""Define `TorchSimulator`: a `SpikingModule` with hard spikes and shared draws, no gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.torch.device import check_device
from neurorl.backends.torch.equations import EquationCells
from neurorl.backends.torch.estimators import Score
from neurorl.backends.torch.inputs import Batch
from neurorl.backends.torch.module import ENGINES, SpikingModule, check_engine
from neurorl.backends.torch.noise import SharedNoise
from neurorl.backends.torch.state import Carried
from neurorl.backends.window import Raster
from neurorl.errors import UnsupportedError
from neurorl.network.limits import MAX_DELAY
from neurorl.numerics.arrays import Array

__all__ = ["TorchSimulator"]

_RELEASED = ("u", "used", "release")  # keys of `neurorl.backends.torch.state.Released`, in order


class TorchSimulator(Simulator):
    """Run a network in PyTorch in float64; `module` is the same for training.

    engine: as in `SpikingModule`. device: ``'cpu'``, or ``'cuda'``, ``'cuda:0'``, ... for a GPU and
    the engine *eager*: its sums and functions round otherwise, so spikes agree in their statistics,
    not in every bit.
    """

    name: ClassVar[str] = "torch"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"),
        exact_arithmetics=("float", "loihi"),
        engines=ENGINES,
        equations=True,
        sparse=True,
        synapse_delays=True,
        short_term=MAX_DELAY,
    )
    shown: ClassVar[tuple[str, ...]] = ("engine", "module", "device")

    def __init__(self, engine: str | None = None, device: str = "cpu") -> None:
        self._device = check_device(device)
        is_cpu = self._device.type == "cpu"
        if engine not in (None, ENGINES[-1]) and not is_cpu:
            remedy = "leave engine out, or device"
            raise UnsupportedError(f"engine {engine!r}", "is of the CPU", got=device, remedy=remedy)
        self.engine = check_engine(engine if is_cpu else ENGINES[-1])

    @property
    def device(self) -> str:
        """Return the name of the device that it runs on."""
        return str(self._device)

    def build(self, simulated: SimulatedNetwork) -> None:
        """Make the module, without gradients, and the noise of all replicas."""
        network, seeds = simulated.network, simulated.seeds
        self.simulated = simulated
        self._t = [0] * simulated.n_replicas
        self._module = SpikingModule(
            network,
            seed=seeds,
            arithmetic=simulated.arithmetic_name,
            dtype=torch.float64,
            estimator=Score(),
            engine=self.engine,
        )
        self._module.requires_grad_(False).to(self._device)
        self._state = self._module.rest(1)
        self._noise = {
            p.name: SharedNoise(simulated.draws(p.name))
            for p in network.populations
            if p.is_noisy(network.dt)
        }
        self._bias: dict[str, torch.Tensor] = {}
        self.put_in_force(simulated)

    def module(self, **options: Any) -> SpikingModule:
        """Return a new module of this network with the effective weights.

        options: as in `SpikingModule`.

        After training, `SpikingModule.write_to` brings its weights back.
        """
        network, axes, seeds = self.simulated.network, self.simulated.axes, self.simulated.seeds
        made = SpikingModule(network, seed=seeds if axes else seeds[0], **options)
        for name, weights in self.simulated.weights.items():
            made.set_weights(name, weights.reshape(*axes, *network.weight_shape(name)))
        return made

    def write_weights(self, projection: str) -> None:
        shape = self.simulated.network.weight_shape(projection)
        weights = self.simulated.weights[projection].reshape(self.simulated.n_replicas, *shape)
        self._module.set_weights(projection, weights)

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        values = torch.from_numpy(bias.astype(np.float64))
        self._bias[population] = values.to(self._device).view(self.simulated.n_replicas, 1, -1)

    def variables(self, population: str) -> State:
        own = self._module.cells[population]
        assert isinstance(own, EquationCells)
        tensors = own.variables(self._state.cells[population])
        return {name: x[:, 0].reshape(-1).cpu().numpy() for name, x in tensors.items()}

    @torch.no_grad()
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        n_replicas = self.simulated.n_replicas
        tensors = {
            source.name: self._tensor(np.asarray(inputs[source.name], dtype=np.float64))
            for source in self.simulated.network.spiking.sources
        }
        spikes = {k: x.view(n_steps, n_replicas, 1, -1).transpose(0, 1) for k, x in tensors.items()}
        noise = {
            name: draw(self._t, n_steps).to(self._device) for name, draw in self._noise.items()
        }
        batch = Batch(n_steps, 1, spikes, {})
        rasters, self._state = self._module.advance(batch, self._state, noise, bias=self._bias)
        self._t = [t + n_steps for t in self._t]
        shown = {k: rasters[k].transpose(0, 1).reshape(n_steps, -1) for k in self.simulated.record}
        return {k: raster.cpu().numpy().astype(np.bool_) for k, raster in shown.items()}

    def reset(self, replicas: Sequence[int]) -> None:
        which = torch.zeros(self.simulated.n_replicas, 1, dtype=torch.bool)
        which[list(replicas)] = True
        self._state = self._state.silenced(which.to(self._device))

    def time(self, replica: int) -> int:
        return self._t[replica]

    def state(self, replica: int) -> State:
        state: State = {}
        for name, spikes in self._state.spikes.items():
            state[f"{name}.spikes"] = spikes[replica, :, 0].cpu().numpy().astype(np.bool_)
        for name, cells in self._state.cells.items():
            own = self._module.cells[name]
            if isinstance(own, EquationCells):
                for x, values in own.variables(cells).items():
                    state[f"{name}.{x}"] = values[replica, 0].cpu().numpy().copy()
                state[f"{name}.refractory"] = _dead(cells, replica)
                continue
            state[f"{name}.current"] = (
                cells.u[replica, 0].cpu().numpy().astype(self.simulated.dtype)
            )
            state[f"{name}.voltage"] = (
                cells.v[replica, 0].cpu().numpy().astype(self.simulated.dtype)
            )
            state[f"{name}.refractory"] = _dead(cells, replica)
        for name, released in self._state.released.items():
            for key, values in zip(_RELEASED, released, strict=True):
                state[f"{name}.{key}"] = values[replica, ..., 0, :].cpu().numpy().copy()
        return state

    def restore(self, state: State, replica: int) -> None:
        self._t[replica] = int(state["t"])
        restored = self._state.map(torch.clone)
        for name, spikes in restored.spikes.items():
            spikes[replica, :, 0] = self._tensor(np.asarray(state[f"{name}.spikes"], float))
        for name, cells in restored.cells.items():
            own = self._module.cells[name]
            keys = own.variables(cells) if isinstance(own, EquationCells) else ["voltage"]
            v = np.concatenate([np.asarray(state[f"{name}.{key}"], float) for key in keys])
            cells.v[replica, 0] = self._tensor(v)
            if not isinstance(own, EquationCells):
                u = np.asarray(state[f"{name}.current"], float)
                cells.u[replica, 0] = self._tensor(u)
            left = self._tensor(np.asarray(state[f"{name}.refractory"]))
            steps = torch.arange(len(cells.blocked), device=self._device)
            cells.blocked[:, replica, 0] = (left > steps[:, None]).to(torch.float64)
        for name, released in restored.released.items():
            for key, values in zip(_RELEASED, released, strict=True):
                values[replica, ..., 0, :] = self._tensor(np.asarray(state[f"{name}.{key}"]))
        self._state = restored

    def _tensor(self, array: Array) -> torch.Tensor:
        """Return an array on the device; on the CPU they share their memory."""
        return torch.from_numpy(array).to(self._device)


def _dead(cells: Carried, replica: int) -> npt.NDArray[np.int64]:
    """Return the dead steps left of a replica's neurons."""
    return cells.blocked[:, replica, 0].sum(dim=0).cpu().numpy().astype(np.int64)
