"""Look up the layers of a network that serves all actions, once for every loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from neurorl.learning.plan import Plastic, plastic_into
from neurorl.models.actor import hidden_sizes
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Layers
from neurorl.models.deep.network import critic_layers, layers_of
from neurorl.models.deep.trunk import Shared
from neurorl.network.description import Network

__all__ = ["DeepLayer", "DeepPlan", "Half"]


@dataclass(frozen=True)
class DeepLayer:
    """Hold what is known of a layer.

    into: its projections, from the layer below and from the bias. row: the step of a window in which
    its neurons answer the input. above: the projection to the layer above, None of a readout.
    alpha: step of its synapses.
    """

    name: str
    size: int
    into: tuple[Plastic, ...]
    row: int
    above: str | None
    alpha: float

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

    @property
    def layers(self) -> Iterator[DeepLayer]:
        """Yield all layers, the actor's first, from the input up."""
        return (layer for half in self.halves for layer in half.layers)

    @property
    def hidden(self) -> list[DeepLayer]:
        """Return the layers that are no readouts."""
        return [layer for layer in self.layers if layer.is_hidden]

    @property
    def with_random_feedback(self) -> list[str]:
        """Return none: signs of paths are of modules."""
        return []

    @classmethod
    def of(cls, network: Network, config: AgentConfig) -> DeepPlan:
        """Look up the layers of an agent's network."""
        assert isinstance(config.trunk, Shared)
        assert isinstance(config.critic, Layers)
        first = 0 if config.encoder.flows else 1
        of_actor = layers_of(hidden_sizes(config.hidden))
        of_critic = layers_of(critic_layers(config), "critic_")

        def half(names: list[str], alphas: tuple[float, float], keep: float) -> Half:
            layers = [
                DeepLayer(
                    name,
                    network.node(name).size,
                    tuple(plastic_into(network, name)),
                    first + n,
                    f"{name}_{names[n + 1]}" if n + 1 < len(names) else None,
                    alphas[n + 1 == len(names)],
                )
                for n, name in enumerate(names)
            ]
            return Half(tuple(layers), keep, names[-1] == "output")

        alphas, alpha = (config.alpha_hidden, config.alpha_output), config.critic.alpha
        frozen = 0.0 if config.alpha_hidden == 0.0 else alpha
        return cls(
            config.trunk,
            (
                half([*of_actor, "output"], alphas, config.gamma * config.lambda_actor),
                half([*of_critic, "critic"], (frozen, alpha), config.gamma * config.critic.lambda_),
            ),
        )
