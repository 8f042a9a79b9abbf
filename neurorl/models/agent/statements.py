"""Check that an agent can serve its rules of statements, and refuse by name what it can't."""

from __future__ import annotations

from neurorl.errors import DescriptionError
from neurorl.models.agent.fields import AgentFields
from neurorl.network.description import Network
from neurorl.rules import SynapseRule
from neurorl.rules.synapse_rule import WEIGHT

TOLD = ("phi", "t", "b", "y", "n", "W")
"""List the signals that agents broadcast, names of `neurorl.rules.post_factor`."""


def check_statements(config: AgentFields) -> None:
    """Raise DescriptionError for a rule of statements, or a part beside it, that can't learn so."""
    critic, writes, learning = config.critic, config.writes, config.learning
    for rule in config.statement_rules:
        _check_rule(rule)
        for odd, name, part, remedy in (
            (critic.population is not None, "critic", critic, "critic 'linear'"),
            (not writes.has_shadow, "writes", writes, "writes 'shadow'"),
            (learning.on_chip, "learning", learning, "learning 'host'"),
        ):
            if odd:
                what, where = f"can't be with a rule of statements, {rule.name!r}", f"agent.{name}"
                raise DescriptionError(where, what, got=repr(part.name), remedy=remedy)


def _check_rule(rule: SynapseRule) -> None:
    where = f"rule {rule.name!r}"
    for name in rule.signals:
        if name not in TOLD:
            what, remedy = f"needs {name}, which agents don't have", "neurorl.SynapseLearning"
            raise DescriptionError(f"{where}, signals", what, limit=[*TOLD], remedy=remedy)
    lines = (*rule.derivatives, *(line for event in rule.events.values() for line in event))
    if not any(line.variable == WEIGHT for line in lines):
        raise DescriptionError(where, "no line sets w, so nothing learns", remedy="w += M*...")
    if rule.post_delay:
        what, got = "is of neurorl.SynapseLearning", rule.post_delay
        raise DescriptionError(f"{where}, post_delay", what, got=got, remedy="leave it out")


def check_spiking(config: AgentFields, where: str, network: Network) -> None:
    """Raise DescriptionError for statements at synapses that have no spikes to learn from."""
    for name, rule in config.statements_of(network).items():
        p = network.projection(name)
        if p.signed or p.pre in network.currents:
            kind = "signed synapses have" if p.signed else "a current has"
            what = f"rule {rule.name!r} learns from spikes, of which {kind} none ({name!r})"
            raise DescriptionError(where, what, remedy="signed=False, encoder 'quiet'")
