"""What happened in some environment steps of all replicas, as an update needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurorl.backends.torch import ModuleState
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.description import Network
from neurorl.reparameterization.encode import draws_shape

__all__ = ["Draws", "Rollout", "bias_inputs"]


class Draws:
    """All randomness of a rollout: of replica k from its own generator, whoever else there is.

    noise: by population, ``(W, R, T, E, size)``. cells: ``(T, R, E, *draws_shape)``. actions: ``(T,
    R, E)``, float64.
    """

    def __init__(self, network: Network, config: AgentConfig, lead: tuple[int, int, int]) -> None:
        steps, replicas, environments = lead
        self.noise = {
            p.name: torch.zeros(config.window, replicas, steps, environments, p.size)
            for p in network.populations
            if p.neuron.dynamics(p.size, network.dt).noise_width.any()
        }
        self.cells = torch.zeros(steps, replicas, environments, *draws_shape(config))
        self.actions = torch.zeros(steps, replicas, environments, dtype=torch.float64)

    def draw(self, k: int, generator: torch.Generator, logistic: torch.nn.Module) -> None:
        """Those of replica *k* anew; logistic: of `neurorl.backends.torch.noise`."""
        for noise in self.noise.values():
            mine = noise[:, k]
            mine.copy_(logistic(mine.shape, generator))
        for uniform in (self.cells, self.actions):
            mine = uniform[:, k]
            mine.copy_(torch.rand(mine.shape, generator=generator, dtype=mine.dtype))

    def noise_at(self, t: int) -> dict[str, Tensor]:
        """Of step *t*, ``(W, R, E, size)``."""
        return {name: noise[:, :, t] for name, noise in self.noise.items()}


@dataclass
class Rollout:
    """T steps of E environments in each of R replicas.

    inputs: of source ``input``, ``(W, R, T, E, size)``, or ``(R, T, E, size)`` of currents. x,
    next_x: the critic's features of the state and of that which followed, ``(T, R, E, size)``.
    actions, rewards (scaled), terminated, over: ``(T, R, E)``. state: of the network before it,
    None for one that begins every decision from silence.
    """

    inputs: Tensor
    x: FloatArray
    next_x: FloatArray
    actions: np.ndarray
    rewards: FloatArray
    terminated: np.ndarray
    over: np.ndarray
    draws: Draws
    state: ModuleState | None = None

    @classmethod
    def empty(cls, network: Network, config: AgentConfig, lead: tuple[int, int, int]) -> Rollout:
        """lead: ``(T, R, E)``."""
        steps, replicas, environments = lead
        size = (replicas, steps, environments, config.cells.size)
        inputs = torch.zeros(size if config.encoder == "current" else (config.window, *size))
        features = (*lead, config.features.size)
        return cls(
            inputs=inputs,
            x=np.zeros(features),
            next_x=np.zeros(features),
            actions=np.zeros(lead, dtype=np.int64),
            rewards=np.zeros(lead),
            terminated=np.zeros(lead, dtype=np.bool_),
            over=np.zeros(lead, dtype=np.bool_),
            draws=Draws(network, config, lead),
        )

    def all_steps(self, k: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs and noise of replica *k*, its steps and environments as one batch."""
        noise = {name: x[:, k].flatten(1, 2) for name, x in self.draws.noise.items()}
        return self.inputs[..., k, :, :, :].flatten(-3, -2), noise

    def step(self, k: int, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs and noise of replica *k* in step *t*."""
        noise = {name: x[:, k, t] for name, x in self.draws.noise.items()}
        return self.inputs[..., k, t, :, :], noise


def bias_inputs(
    network: Network, config: AgentConfig, lead: tuple[int, ...]
) -> Mapping[str, Tensor]:
    """Source ``bias``, if there is one: a spike in every step, or a current of 1."""
    sources = {s.name: s for s in network.sources}
    if "bias" not in sources:
        return {}
    size = (*lead, sources["bias"].size)
    return {"bias": torch.ones(size if config.encoder == "current" else (config.window, *size))}
