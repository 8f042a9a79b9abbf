"""Define `TorchSimulator`: a `SpikingModule` with hard spikes and shared draws, no gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.programmed import SUMS, ProgramSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.torch.device import ENGINES, check_device, check_engine
from neurorl.backends.torch.estimators import Score
from neurorl.backends.torch.inputs import Batch, ModuleState
from neurorl.backends.torch.module import SpikingModule
from neurorl.backends.window import Raster
from neurorl.errors import UnsupportedError
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.program import Release


class TorchSimulator(ProgramSimulator):
    """Run a network in PyTorch in float64; `module` is the same for training.

    engine: as in `SpikingModule`. device: ``'cpu'``, or ``'cuda'``, ``'cuda:0'``, ... for a GPU and
    the engine *eager*: its sums and functions round otherwise, so spikes agree in their statistics,
    not in every bit.
    """

    name: ClassVar[str] = "torch"
    capabilities: ClassVar[Capabilities] = replace(SUMS, engines=ENGINES, noises=("exact",))
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
        self.take(simulated)
        network = simulated.network
        self._t = [0] * simulated.n_replicas
        self._module = SpikingModule(
            network,
            seed=simulated.seeds,
            arithmetic=simulated.arithmetic_name,
            dtype=torch.float64,
            estimator=Score(),
            engine=self.engine,
        )
        self._state = self._module.rest(1).map(torch.clone)  # on the CPU, between windows
        self._dead: dict[int, Array] = {}
        self._module.requires_grad_(False).to(self._device)
        noisy = (p.name for p in network.populations if p.is_noisy(network.dt))
        self._draws = {name: simulated.draws(name) for name in noisy}
        self._from_outside = [
            (name, x, [draw.rows(seed, network.node(name).size) for seed in simulated.seeds])
            for name, draws in self._module.from_outside.items()
            for x, draw in draws.items()
        ]
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

    def write_bias(self, population: str, bias: Array) -> None:
        values = torch.from_numpy(bias.astype(np.float64))
        self._bias[population] = values.to(self._device).view(self.simulated.n_replicas, 1, -1)

    @torch.no_grad()
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        n_replicas, names = self.simulated.n_replicas, [node.name for node in self.program.nodes]
        known = [*(names[k] for k in self.sources), *self.driven]
        given = {name: np.asarray(inputs[name], dtype=np.float64) for name in known}
        shape = n_steps, n_replicas, 1, -1
        spikes = {x: torch.from_numpy(given[x]).to(self._device).view(shape) for x in given}
        noise = {name: self._of_steps(rows, n_steps) for name, rows in self._draws.items()}
        into = {name: x.transpose(0, 1) for name, x in spikes.items()}
        words = {(node, x): self._of_steps(rows, n_steps) for node, x, rows in self._from_outside}
        driven = {key: into.pop(key) for key in self.driven}
        batch = Batch(n_steps, 1, into, {}, words, driven=driven)
        before = self._with_dead().map(lambda x: x.to(self._device))
        rasters, after = self._module.advance(batch, before, noise, bias=self._bias)
        self._state = after.map(lambda x: x.cpu().contiguous())
        self._dead.clear()
        self._t = [t + n_steps for t in self._t]
        shown = {k: rasters[k].transpose(0, 1).reshape(n_steps, -1) for k in self.simulated.record}
        return {k: raster.cpu().numpy().astype(np.bool_) for k, raster in shown.items()}

    def _of_steps(self, rows: Sequence[Callable[[int], FloatArray]], n_steps: int) -> torch.Tensor:
        """Return numbers of each replica's steps, ``(n_replicas, n_steps, 1, size)``."""
        pairs = zip(rows, self._t, strict=True)
        drawn = np.array([[draw(first + t) for t in range(n_steps)] for draw, first in pairs])
        return torch.from_numpy(drawn[:, :, None]).to(self._device)

    def _with_dead(self) -> ModuleState:
        """Return the state with the dead steps of `dead`."""
        cells = dict(self._state.cells)
        for k, dead in self._dead.items():
            carried = cells[self._name(k)]
            left = torch.from_numpy(dead).view(self.simulated.n_replicas, 1, 1, -1)
            blocked = left > torch.arange(carried.blocked.shape[1])[:, None, None]
            cells[self._name(k)] = replace(carried, blocked=blocked.to(carried.blocked.dtype))
        return replace(self._state, cells=cells)

    def _name(self, k: int) -> str:
        return self.program.nodes[k].name

    def time(self, replica: int) -> int:
        return self._t[replica]

    def put_time(self, t: int, replica: int) -> None:
        self._t[replica] = t

    def values(self, k: int, variable: str) -> Array:
        values: Array = self._state.cells[self._name(k)].variables[variable].view(-1).numpy()
        return values

    def dead(self, k: int) -> Array:
        if k not in self._dead:
            blocked = self._state.cells[self._name(k)].blocked
            self._dead[k] = blocked.sum(dim=1).view(-1).numpy().astype(np.int64)
        return self._dead[k]

    def past(self, k: int) -> Raster:
        steps = _steps_first(self._state.spikes[self._name(k)])
        return steps.reshape(len(steps), -1).astype(np.bool_)

    def put_past(self, rasters: Mapping[int, Raster]) -> None:
        for k, raster in rasters.items():
            past = _steps_first(self._state.spikes[self._name(k)])
            past[:] = raster.reshape(past.shape)
            for release in self.program.nodes[k].releases.values():
                sent = _steps_first(self._state.released[release.projection])
                sent *= past[-len(sent) :]  # nothing without a spike

    def released(self, k: int, release: Release) -> Sequence[Array]:
        return [*_steps_first(self._state.released[release.projection])]


def _steps_first(x: torch.Tensor) -> Array:
    """Return a view ``(steps, n_replicas, size)`` of ``(n_replicas, steps, 1, size)``."""
    view: Array = x[:, :, 0].transpose(0, 1).numpy()
    return view
