"""Look up all that learning needs of a network and an agent, once for every loop.

A description is searched by name; a loop that runs thousands of times a second reads these instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from neurorl.learning.tags import SynapseGroup, groups_by_delay
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network, Population, Projection
from neurorl.network.modules import hidden_layers, lag, module_projections
from neurorl.network.neuron import StepPlan
from neurorl.network.plasticity import TsodyksMarkram
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import decay
from neurorl.rules import Rule, SynapseRule
from neurorl.rules.post_factor import PostFactor
from neurorl.rules.registry import VALUE
from neurorl.storage.plain import PlainData


class RuleConstants:
    """Hold how a rule's eligibilities and its neurons' own traces decay, and A.

    eligibility_tau: in seconds; None for an eligibility that stays, or that each window multiplies
    by *kept_window*. A rule's own constants take the place of these.

    kept: what is left of an eligibility after a step; kept_window: after a window, None for what
    its steps leave. post_decay, slow_decay: what a step leaves of traces.
    """

    def __init__(
        self,
        rule: Rule,
        dt: float,
        eligibility_tau: float | None,
        post_tau: float,
        depression: float,
        kept_window: float | None = None,
    ) -> None:
        tau = eligibility_tau if rule.eligibility_tau is None else rule.eligibility_tau
        own = rule.eligibility_keep
        self.kept = decay(dt, tau) if tau is not None and own is None else 1.0
        self.kept_window = kept_window if tau is None and own is None else own
        self.post_decay = decay(dt, post_tau if rule.post_tau is None else rule.post_tau)
        self.slow_decay = decay(dt, rule.slow_tau or 0.0)
        self.depression = depression if rule.depression is None else rule.depression

    def powers(self, n_steps: int) -> FloatArray:
        """Return what is left at a window's end of what each step added, ``(n_steps,)``."""
        return _powers(self.kept, n_steps)

    def left(self, n_steps: int) -> float:
        """Return what a window leaves of an eligibility."""
        return self.kept**n_steps if self.kept_window is None else self.kept_window


@lru_cache(maxsize=64)
def _powers(kept: float, n_steps: int) -> FloatArray:
    powers = np.array([kept ** (n_steps - 1 - t) for t in range(n_steps)])
    powers.flags.writeable = False
    return powers


@dataclass(frozen=True)
class InputProjection:
    """Hold what is known of a projection.

    n_pre: neurons of the population before it. current: from a source of currents: what arrives is
    its activation, in every step. target: the input that it adds to. short_term: what its spikes
    release, if not all the same. groups: the synapses of a sparse one by their delay; none of a
    dense one. shape: of its weights.
    """

    name: str
    pre: str
    n_pre: int
    blocks: int
    signed: bool
    current: bool
    delay: int
    target: str
    short_term: TsodyksMarkram | None
    groups: tuple[SynapseGroup, ...]
    shape: tuple[int, ...]

    @property
    def delays(self) -> tuple[int, ...]:
        """Return the delays of its synapses in steps, from the shortest on."""
        return tuple(group.delay for group in self.groups) or (self.delay,)

    def transmitted(self, arrived: FloatArray) -> FloatArray:
        """Return what arrives, +-1 for signed projections."""
        return 2.0 * arrived - 1.0 if self.signed else arrived


@dataclass(frozen=True)
class Plastic(InputProjection):
    """Hold what is known of a projection that learns."""

    trace_decay: float
    low: float
    high: float

    @property
    def trace_shape(self) -> tuple[int, ...]:
        """Return the shape of its traces: ``(n_pre,)``, of several delays ``(n_delays, n_pre)``."""
        return (len(self.groups), self.n_pre) if len(self.groups) > 1 else (self.n_pre,)


@dataclass(frozen=True)
class Layer:
    """Hold what is known of a population with plastic projections that learn by one rule.

    key: its name, and the rule's too if it isn't the first into the population. size: its neurons.
    into: the projections. Of agents also: first, the step from which its spikes count, see
    `_first`; begin, the step from which they have post factors, 0 if the rule pairs spikes; lag, of
    a hidden layer the steps to the output, else 0; plan, fixed: what its neurons do in a step,
    and the projections into it that don't learn, if the rule needs membranes or spike
    probabilities.
    """

    key: str
    name: str
    size: int
    rule: Rule
    constants: RuleConstants
    into: tuple[Plastic, ...]
    first: int = 0
    begin: int = 0
    lag: int = 0
    alpha: float = 1.0
    plan: StepPlan | None = None
    fixed: tuple[InputProjection, ...] = ()
    is_critic: bool = False

    @property
    def text(self) -> PostFactor:
        """Return the text of its post factors."""
        return self.rule.text_of(self.name)

    @classmethod
    def all_of(
        cls, network: Network, rules: Mapping[str, Rule], constants: Callable[[Rule], RuleConstants]
    ) -> Iterator[Layer]:
        """Yield those of all populations that plastic projections enter, in the network's order.

        rules: by projection; one without a rule is left out. constants: return those of a rule.
        """
        for p in network.populations:
            into = [one for one in plastic_into(network, p.name) if one.name in rules]
            for number, name in enumerate(dict.fromkeys(rules[one.name].name for one in into)):
                of_rule = tuple(one for one in into if rules[one.name].name == name)
                key, rule = f"{p.name} by {name}" if number else p.name, rules[of_rule[0].name]
                yield cls(key, p.name, p.size, rule, constants(rule), of_rule)


@dataclass(frozen=True)
class ByStatements:
    """Hold a projection that learns by a rule of statements; other fields are those of `Layer`."""

    into: Plastic
    rule: SynapseRule
    name: str
    size: int
    first: int
    lag: int

    @property
    def n_of(self) -> dict[str, int]:
        """Return how many numbers a variable has, by whose it is."""
        return {"pre": self.into.n_pre, "post": self.size, "synapse": math.prod(self.into.shape)}


class LearningPlan:
    """Hold what learning needs to know of a network and an agent, looked up once for every loop.

    critic: what reads a spiking critic's value, None without one.
    layers: populations that learn, from the output down through the hidden ones, then any other;
    one with several rules has a layer for each. statements: projections that learn by statements.
    chain: projections between the layers of modules, from the output down.
    in_modules: populations that are divided into modules.
    first_vote: the step from which spikes of the output are votes.
    """

    def __init__(self, network: Network, config: AgentConfig) -> None:
        self.network, self.config = network, config
        hidden, self.chain = hidden_layers(network), module_projections(network)
        order = ("output", *hidden)
        rules = config.rules_of(network)
        if config.critic.population is not None:
            of_critic = replace(VALUE, eligibility_keep=config.gamma * config.critic.lambda_)
            into = (p for p in network.projections if p.post == config.critic.population)
            rules |= {p.name: of_critic for p in into if p.name in rules}
        self.critic = config.critic.reader(network, config.window, config.carries)
        layers = sorted(
            Layer.all_of(network, rules, partial(_constants, network, config)),
            key=lambda of: order.index(of.name) if of.name in order else len(order),
        )
        self.layers = tuple(_in_agent(network, config, layer) for layer in layers)
        self.statements = tuple(_by_statements(network, config))
        self.in_modules = order[: 1 + len(self.chain)]
        self.first_vote = 0 if config.carries else network.depth("output")

    @property
    def with_random_feedback(self) -> list[str]:
        """Return the populations with rules whose b is drawn."""
        return [layer.name for layer in self.layers if layer.rule.random_feedback]


def _in_agent(network: Network, config: AgentConfig, layer: Layer) -> Layer:
    """Return a layer with what an agent adds to it."""
    rule, name = layer.rule, layer.name
    needs_v, population = rule.needs_probability or rule.needs_membrane, network.node(name)
    assert isinstance(population, Population)
    known = {p.name for p in layer.into}
    others = [p for p in network.projections if p.post == name and p.name not in known]
    alphas = {"output": config.alpha_output, config.critic.population: config.critic.alpha}
    first = _first(network, config, name, rule.counts_returns)
    return replace(
        layer,
        first=first,
        begin=0 if rule.pairs_spikes else first,
        lag=_lag(network, name),
        alpha=alphas.get(name, config.alpha_hidden),
        plan=population.plan(network.dt) if needs_v else None,
        fixed=tuple(InputProjection(**_looked_up(network, p)) for p in others if needs_v),
        is_critic=name == config.critic.population,
    )


def _constants(network: Network, config: AgentConfig, rule: Rule) -> RuleConstants:
    """Return the decays of a rule: its own, or else the agent's."""
    return RuleConstants(
        rule,
        network.dt,
        config.eligibility_tau if rule.pairs_spikes else None,
        config.post_tau,
        config.depression,
        config.gamma * config.lambda_actor,
    )


def _by_statements(network: Network, config: AgentConfig) -> Iterator[ByStatements]:
    """Yield the projections that learn by statements, in the network's order."""
    rules = config.statements_of(network)
    for p in network.populations:
        first, steps = _first(network, config, p.name, False), _lag(network, p.name)
        for into in plastic_into(network, p.name):
            if into.name in rules:
                yield ByStatements(into, rules[into.name], p.name, p.size, first, steps)


def _lag(network: Network, name: str) -> int:
    return lag(network, name) if name in hidden_layers(network) else 0


def _first(network: Network, config: AgentConfig, name: str, counts_returns: bool) -> int:
    """Return the step that input can have reached; 0 if returning spikes count for the rule.

    A population's earlier spikes then bear on those that count: the gradient has a term of each.
    """
    if config.carries or (counts_returns and network.returns(name)):
        return 0
    return network.depth(name)


def plastic_into(network: Network, population: str) -> list[Plastic]:
    """Return what is known of the projections into a population that learn."""
    return [
        Plastic(
            **_looked_up(network, p),
            trace_decay=decay(network.dt, rule_of.trace_tau),
            low=rule_of.low,
            high=rule_of.high,
        )
        for p in network.projections
        if p.post == population and (rule_of := p.plasticity) is not None
    ]


def _looked_up(network: Network, p: Projection) -> PlainData:
    return {
        "name": p.name,
        "pre": p.pre,
        "n_pre": network.node(p.pre).size,
        "blocks": p.blocks,
        "signed": p.signed,
        "current": p.pre in network.currents,
        "delay": network.delay_steps(p.name),
        "target": network.target(p),
        "short_term": p.short_term,
        "groups": groups_by_delay(network, p.name),
        "shape": network.weight_shape(p.name),
    }
