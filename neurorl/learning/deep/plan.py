"""Look up the layers of a network that serves all actions, once for every loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neurorl.learning.plan import Plastic, plastic_into
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Layers
from neurorl.models.deep.network import layers_of, sizes_of
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.trunk import Shared
from neurorl.network.description import Network
from neurorl.numerics.arrays import IntArray


def first_copies(tie: IntArray) -> IntArray:
    """Return the first synapse of each learned weight, of `DeepLayer.tie`."""
    return np.unique(tie, return_index=True)[1]


@dataclass(frozen=True)
class DeepLayer:
    """Hold what is known of a layer.

    into: its projections, from the layer below and from the bias. row: the step of a window in
    which its neurons answer the input. above: the projection to the layer above, None of a readout.
    alpha: step of its synapses. patches: what its neurons see of an image, None if all.
    """

    name: str
    size: int
    into: tuple[Plastic, ...]
    row: int
    above: str | None
    alpha: float
    patches: Patches | None

    def shape(self, p: Plastic) -> tuple[int, int]:
        """Return the shape of a projection's weights that learn, from its inputs to its neurons."""
        if self.patches is None:
            return (p.n_pre, self.size)
        rows = 1 if p.n_pre == 1 else self.patches.index.shape[1]
        return (rows, self.patches.filters)

    def tie(self, name: str) -> IntArray | None:
        """Return the learned weight that each synapse copies; None if each has its own."""
        if self.patches is None:
            return None
        if name == self.into[0].name:
            return self.patches.tie
        return np.tile(np.arange(self.patches.filters), len(self.patches.index))

    @property
    def is_hidden(self) -> bool:
        """Return whether it is no readout."""
        return self.above is not None


@dataclass(frozen=True)
class Half:
    """Hold the layers of an actor or a critic from the input up; keep: share of a trace that stays.

    is_actor: whether its readout are preferences, not a value.
    """

    layers: tuple[DeepLayer, ...]
    keep: float
    is_actor: bool


@dataclass(frozen=True)
class DeepPlan:
    """Hold the actor's and the critic's layers."""

    trunk: Shared
    halves: tuple[Half, ...]
    with_random_feedback: tuple[str, ...] = ()  # signs of paths are of modules

    @property
    def layers(self) -> Iterator[DeepLayer]:
        """Yield all layers, the actor's first, from the input up."""
        return (layer for half in self.halves for layer in half.layers)

    @property
    def hidden(self) -> list[DeepLayer]:
        """Return the layers that are no readouts."""
        return [layer for layer in self.layers if layer.is_hidden]

    @classmethod
    def of(cls, network: Network, config: AgentConfig) -> DeepPlan:
        """Look up the layers of an agent's network."""
        trunk = config.trunk
        assert isinstance(trunk, Shared)
        assert isinstance(config.critic, Layers)
        first = 0 if config.encoder.flows else 1
        of_actor, of_critic = sizes_of(config)

        def half(names: list[str], alphas: tuple[float, float], keep: float) -> Half:
            layers = [
                DeepLayer(
                    name,
                    network.node(name).size,
                    tuple(plastic_into(network, name)),
                    first + n,
                    f"{name}_{names[n + 1]}" if n + 1 < len(names) else None,
                    alphas[n + 1 == len(names)],
                    trunk.patches if n == 0 else None,
                )
                for n, name in enumerate(names)
            ]
            return Half(tuple(layers), keep, names[-1] == "output")

        alphas, alpha = (config.alpha_hidden, config.alpha_output), config.critic.alpha
        of_values = (0.0 if config.alpha_hidden == 0.0 else alpha, alpha)
        keeps = config.gamma * config.lambda_actor, config.gamma * config.critic.lambda_
        actor = half([*layers_of(of_actor), "output"], alphas, keeps[0])
        critic = half([*layers_of(of_critic, "critic_"), "critic"], of_values, keeps[1])
        return cls(trunk, (actor, critic))
