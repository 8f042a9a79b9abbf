"""Look up all that learning needs of a network and an agent, once for every loop.

A description is searched by name; a loop that runs thousands of times a second reads these instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.learning.synapse_groups import SynapseGroup, groups_by_delay
from neurorl.models.config import AgentConfig
from neurorl.models.critics import SpikingCritic
from neurorl.network.description import Dynamics, Network, Plasticity, Projection
from neurorl.network.modules import hidden_layers, lag, module_projections
from neurorl.network.neuron import StepPlan
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import decay
from neurorl.rules import Rule

__all__ = ["Incoming", "Layer", "LearningPlan", "Plastic", "plastic_into"]


@dataclass(frozen=True)
class Incoming:
    """Hold what is known of a projection.

    current: from a source of currents: what arrives is its activation, in every step. target: the
    input that it adds to. groups: the synapses of a sparse one by their delay; none of a dense one.
    """

    name: str
    pre: str
    blocks: int
    signed: bool
    current: bool
    delay: int
    target: str
    groups: tuple[SynapseGroup, ...]

    @property
    def delays(self) -> tuple[int, ...]:
        """Return the delays of its synapses in steps, from the shortest on."""
        return tuple(group.delay for group in self.groups) or (self.delay,)

    def transmitted(self, arrived: FloatArray) -> FloatArray:
        """Return what arrives, +-1 for signed projections."""
        return 2.0 * arrived - 1.0 if self.signed else arrived


@dataclass(frozen=True)
class Plastic(Incoming):
    """Hold what is known of a projection that learns."""

    trace_decay: float
    low: float
    high: float


@dataclass(frozen=True)
class Layer:
    """Hold what is known of a population with plastic projections.

    first: the step from which its spikes count, see `_first`. lag: of a hidden layer, steps to the
    output; else 0. dynamics, fixed: of its neurons (a `StepPlan` of those by equations), and the
    projections into it that don't learn, if the rule needs membranes or spike probabilities.
    slow_decay: of the rule's `slow`.
    """

    name: str
    first: int
    lag: int
    alpha: float
    keep: float
    powers: FloatArray
    post_decay: float
    slow_decay: float
    dynamics: Dynamics | StepPlan | None
    into: tuple[Plastic, ...]
    fixed: tuple[Incoming, ...]
    is_critic: bool


@dataclass(frozen=True)
class LearningPlan:
    """Hold what learning needs to know of a network and an agent, looked up once for every loop.

    rule, critic: the agent's rule, and what reads a spiking critic's value, None without one.
    layers: populations that learn, from the output down through the hidden ones, then any other.
    chain: projections between the layers of modules, from the output down.
    in_modules: populations that are divided into modules.
    first_vote: the step from which spikes of the output are votes.
    depression: A of rules that pair spikes.
    """

    network: Network
    config: AgentConfig
    rule: Rule
    critic: SpikingCritic | None
    layers: tuple[Layer, ...]
    chain: tuple[str, ...]
    in_modules: tuple[str, ...]
    first_vote: int
    depression: float

    @classmethod
    def of(cls, network: Network, config: AgentConfig) -> LearningPlan:
        """Look up all that the agent *config* learns by in *network*."""
        hidden, chain = hidden_layers(network), module_projections(network)
        order = ("output", *hidden)
        names = sorted(
            {p.post for p in network.projections if p.plasticity is not None},
            key=lambda name: order.index(name) if name in order else len(order),
        )
        return cls(
            network=network,
            config=config,
            rule=config.learning_rule,
            critic=config.critic.reader(network, config.window, config.carries),
            layers=tuple(_layer(network, config, name) for name in names),
            chain=chain,
            in_modules=order[: 1 + len(chain)],
            first_vote=0 if config.carries else network.depth("output"),
            depression=_or(config.learning_rule.depression, config.depression),
        )


def _layer(network: Network, config: AgentConfig, name: str) -> Layer:
    is_critic, dt, rule = name == config.critic.population, network.dt, config.learning_rule
    needs_v = (rule.needs_probability or rule.needs_membrane) and not is_critic
    alphas = {"output": config.alpha_output, config.critic.population: config.critic.alpha}
    return Layer(
        name=name,
        first=_first(network, config, name),
        lag=lag(network, name) if name in hidden_layers(network) else 0,
        alpha=alphas.get(name, config.alpha_hidden),
        keep=config.gamma * config.critic.lambda_ if is_critic else _keep(config, dt),
        powers=np.ones(config.window) if is_critic else _powers(config, dt),
        post_decay=decay(dt, _or(rule.post_tau, config.post_tau)),
        slow_decay=decay(dt, rule.slow_tau or 0.0),
        dynamics=_dynamics(network, name) if needs_v else None,
        into=tuple(plastic_into(network, name)),
        fixed=tuple(_fixed_into(network, name)) if needs_v else (),
        is_critic=is_critic,
    )


def _keep(config: AgentConfig, dt: float) -> float:
    """Return what is left of an eligibility after a window."""
    tau = _tau(config)
    if tau is not None:
        return float(decay(dt, tau) ** config.window)
    return _or(config.learning_rule.eligibility_keep, config.gamma * config.lambda_actor)


def _powers(config: AgentConfig, dt: float) -> FloatArray:
    """Return what is left at the window's end of what each step added, ``(window,)``."""
    tau = _tau(config)
    kept = 1.0 if tau is None else decay(dt, tau)
    return np.array([kept ** (config.window - 1 - t) for t in range(config.window)])


def _tau(config: AgentConfig) -> float | None:
    """Return the time constant of an eligibility that decays in every step; None for others."""
    rule = config.learning_rule
    if rule.pairs_spikes and rule.eligibility_keep is None:
        return _or(rule.eligibility_tau, config.eligibility_tau)
    return rule.eligibility_tau


def _or(own: float | None, other: float) -> float:
    return other if own is None else own


def _first(network: Network, config: AgentConfig, name: str) -> int:
    """Return the step that input can have reached; 0 if returning spikes count for the rule.

    A population's earlier spikes then bear on those that count: the gradient has a term of each.
    """
    if config.carries or (config.learning_rule.counts_returns and network.returns(name)):
        return 0
    return network.depth(name)


def _dynamics(network: Network, population: str) -> Dynamics | StepPlan:
    for p in network.populations:
        if p.name == population:
            return p.plan(network.dt) or p.neuron.dynamics(p.size, network.dt)
    raise AssertionError(population)


def plastic_into(network: Network, population: str) -> list[Plastic]:
    """Return what is known of the projections into a population that learn."""

    def plastic(p: Projection, rule_of: Plasticity) -> Plastic:
        tau = rule_of.trace_tau
        return Plastic(
            **_looked_up(network, p),
            trace_decay=decay(network.dt, tau),
            low=rule_of.low,
            high=rule_of.high,
        )

    return [
        plastic(p, p.plasticity)
        for p in network.projections
        if p.post == population and p.plasticity is not None
    ]


def _fixed_into(network: Network, population: str) -> list[Incoming]:
    """Return what is known of the projections that don't learn."""
    fixed = [p for p in network.projections if p.post == population and p.plasticity is None]
    return [Incoming(**_looked_up(network, p)) for p in fixed]


def _looked_up(network: Network, p: Projection) -> dict[str, Any]:
    return {
        "name": p.name,
        "pre": p.pre,
        "blocks": p.blocks,
        "signed": p.signed,
        "current": p.pre in network.currents,
        "delay": network.delay_steps(p.name),
        "target": network.target(p),
        "groups": groups_by_delay(network, p.name),
    }
