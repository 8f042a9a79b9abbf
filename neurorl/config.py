"""Everything that decides how an agent learns, in one frozen description."""

from __future__ import annotations

from dataclasses import dataclass

from neurorl.described import Described, number, positive
from neurorl.description import Network, Neuron
from neurorl.errors import DescriptionError, say
from neurorl.factors import rule as find_rule
from neurorl.features import Features
from neurorl.models import actor_network

__all__ = ["AgentConfig"]


@dataclass(frozen=True, eq=False)
class AgentConfig(Described):
    """An agent: its network, its rule, its critic and their rates.

    Network: ``actors`` x actions modules of ``hidden`` units of the model ``neuron``, answering in
    a ``window`` of steps; ``cells`` turn an observation into input spikes. ``signed``,
    ``trace_tau`` (s), ``initial_hidden``, ``initial_output``, ``weight_bound``: see
    `neurorl.models.actor.actor_network`.

    Policy: softmax of ``beta`` x votes.

    Rule: ``rule`` is a name of `neurorl.factors.RULES`. Per decision ``e <- gamma lambda_actor e +
    tag`` and ``dw = alpha rate delta e / N``, alpha that of the layer, N the running mean of the
    squared trace of the layer's inputs: alpha is the change of a neuron's drive for delta = 1.

    The modulator delta is the TD error, for the actor clipped to +-``modulator_limit`` if there is
    one: a rare reward far above the usual error would else decide the policy by itself.

    Critic: linear TD(lambda_critic) on ``features``, step ``alpha_critic``; rewards are multiplied
    by ``reward_scale`` so that values stay near 1.

    rate: falls linearly from 1 to ``rate_end`` over the first ``rate_episodes`` episodes.
    solved_at: mean return of 100 episodes (discounted if ``solved_discounted``) that counts as
    solved; None if there is no such number.
    """

    model: str
    neuron: Neuron
    rule: str
    cells: Features
    features: Features
    window: int
    actors: int = 10
    hidden: int = 8
    signed: bool = False
    trace_tau: float = 0.0
    weight_bound: float = 1.0
    initial_hidden: float = 0.2
    initial_output: float = 0.2
    beta: float = 0.3
    alpha_output: float = 0.1
    alpha_hidden: float = 0.5
    alpha_critic: float = 0.05
    gamma: float = 0.99
    lambda_actor: float = 0.9
    lambda_critic: float = 0.9
    reward_scale: float = 0.02
    modulator_limit: float | None = None
    rate_end: float = 1.0
    rate_episodes: int = 1
    solved_at: float | None = None
    solved_discounted: bool = False

    def __post_init__(self) -> None:
        find_rule(self.rule)
        for name in ("window", "actors", "rate_episodes"):
            positive(f"agent.{name}", getattr(self, name))
        for name in ("gamma", "lambda_actor", "lambda_critic", "rate_end"):
            number(f"agent.{name}", getattr(self, name), 0.0, 1.0)
        for name in ("alpha_output", "alpha_hidden", "alpha_critic", "beta", "trace_tau"):
            number(f"agent.{name}", getattr(self, name), 0.0)
        number("agent.reward_scale", self.reward_scale)
        if self.modulator_limit is not None:
            number("agent.modulator_limit", self.modulator_limit, 0.0)
        layers = 2 if self.hidden else 1
        if self.window < layers + 1:
            raise DescriptionError(
                say(
                    "agent.window",
                    f"too short for {layers} layers: a spike takes a step for each",
                    got=self.window,
                    limit=f">= {layers + 1}",
                )
            )

    def network(self, n_actions: int) -> Network:
        """The network of an agent with this many actions."""
        return actor_network(
            self.cells.size,
            n_actions,
            neuron=self.neuron,
            actors=self.actors,
            hidden=self.hidden,
            signed=self.signed,
            trace_tau=self.trace_tau,
            initial_hidden=self.initial_hidden,
            initial_output=self.initial_output,
            bound=self.weight_bound,
        )

    def rate(self, episode: int) -> float:
        """Factor of all step sizes in an episode, counted from 0."""
        return 1.0 - (1.0 - self.rate_end) * min(1.0, episode / self.rate_episodes)
