"""The layers of a network that learn, looked up once for every loop.

A description is searched by name; a loop that runs thousands of times a second reads these instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.models.config import AgentConfig
from neurorl.network.description import Dynamics, Network, Plasticity, Projection
from neurorl.network.modules import hidden_layers, lag
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import decay

__all__ = ["Incoming", "Layer", "Plastic", "layers"]


@dataclass(frozen=True)
class Incoming:
    """A projection, looked up once: the description is searched by name.

    current: from a source of currents: what arrives is its activation, in every step.
    """

    name: str
    pre: str
    blocks: int
    signed: bool
    current: bool
    delay: int

    def transmitted(self, arrived: FloatArray) -> FloatArray:
        """What arrives, +-1 for signed projections."""
        return 2.0 * arrived - 1.0 if self.signed else arrived


@dataclass(frozen=True)
class Plastic(Incoming):
    """A projection that learns."""

    trace_decay: float
    low: float
    high: float


@dataclass(frozen=True)
class Layer:
    """A population with plastic projections.

    first: the step from which its spikes count, see `_first`. lag: of a hidden layer, steps to the
    output; else 0. fixed: projections into it that don't learn, if the rule needs spike
    probabilities.
    """

    name: str
    first: int
    lag: int
    alpha: float
    keep: float
    powers: FloatArray
    post_decay: float
    dynamics: Dynamics
    into: tuple[Plastic, ...]
    fixed: tuple[Incoming, ...]
    is_critic: bool


def layers(network: Network, config: AgentConfig) -> list[Layer]:
    """The layers that learn: from the output down through the hidden ones, then any other."""
    hidden = hidden_layers(network)
    order = ("output", *hidden)
    names = sorted(
        {p.post for p in network.projections if p.plasticity is not None},
        key=lambda name: order.index(name) if name in order else len(order),
    )
    return [_layer(network, config, name) for name in names]


def _layer(network: Network, config: AgentConfig, name: str) -> Layer:
    is_critic = name == config.critic.population
    needs_p = config.learning_rule.needs_probability and not is_critic
    alphas = {"output": config.alpha_output, "critic": config.critic.alpha}
    return Layer(
        name=name,
        first=_first(network, config, name),
        lag=lag(network, name) if name in hidden_layers(network) else 0,
        alpha=alphas[name] if is_critic or name == "output" else config.alpha_hidden,
        keep=config.gamma * config.critic.lambda_ if is_critic else config.keep(network.dt),
        powers=np.ones(config.window) if is_critic else config.powers(network.dt),
        post_decay=decay(network.dt, config.post_tau),
        dynamics=_dynamics(network, name),
        into=tuple(_plastic_into(network, name)),
        fixed=tuple(_fixed_into(network, name)) if needs_p else (),
        is_critic=is_critic,
    )


def _first(network: Network, config: AgentConfig, name: str) -> int:
    """The step that input can have reached; for coagent 0 if spikes come back to the population.

    Its earlier spikes then bear on those that count: the gradient has a term of each.
    """
    if config.carries or (config.learning_rule.counts_returns and network.returns(name)):
        return 0
    return network.depth(name)


def _dynamics(network: Network, population: str) -> Dynamics:
    for p in network.populations:
        if p.name == population:
            return p.neuron.dynamics(p.size, network.dt)
    raise AssertionError(population)


def _plastic_into(network: Network, population: str) -> list[Plastic]:
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
    return [
        Incoming(**_looked_up(network, p))
        for p in network.projections
        if p.post == population and p.plasticity is None
    ]


def _looked_up(network: Network, p: Projection) -> dict[str, Any]:
    return {
        "name": p.name,
        "pre": p.pre,
        "blocks": p.blocks,
        "signed": p.signed,
        "current": p.pre in network.currents,
        "delay": network.delay_steps(p.name),
    }
