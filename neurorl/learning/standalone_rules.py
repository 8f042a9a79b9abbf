"""Find the rules by which `neurorl.learning.standalone.Learning` learns, and check its backend."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from neurorl.backends.base import Backend
from neurorl.errors import (
    ArgumentError,
    DescriptionError,
    UnsupportedError,
    quoted,
    unknown_name_error,
)
from neurorl.learning.synapses import Target
from neurorl.network.description import Network
from neurorl.rules import Rule, find_rule

__all__ = [
    "check_backend",
    "check_constants",
    "found_rule",
    "rules_by_population",
    "rules_by_projection",
]

_OF_AGENTS = ("V", "y", "t", "M")


def found_rule(rule: object) -> Rule:
    """Return the rule of a name, or a rule that learns without an agent.

    Raises UnsupportedError for one that only agents can serve.
    """
    found = find_rule(rule) if isinstance(rule, str) else rule
    if not isinstance(found, Rule):
        raise ArgumentError("Learning.rule", "neither a name nor a Rule", got=quoted(rule))
    if not found.is_text:
        what = "is a function of an agent's decision"
        remedy = "a Rule of texts, output= and hidden="
        raise UnsupportedError(found.where(), what, remedy=remedy)
    for name in _OF_AGENTS:
        if found.names(name):
            what = f"needs {name}, which only agents have"
            remedy = "a rule of spike, phi, n and W, such as 'spikes-only'"
            raise UnsupportedError(found.where(name), what, remedy=remedy)
    return found


def rules_by_projection(
    network: Network, rule: Rule, rules: Mapping[str, str | Rule]
) -> dict[str, Rule]:
    """Return the rule of each projection that learns: *rule*, or what *rules* has for it."""
    plastic = [p.name for p in network.projections if p.plasticity is not None]
    for name in rules:
        if name not in plastic:
            raise unknown_name_error("Learning.rules, plastic projection", name, plastic)
    chosen = {name: found_rule(rules[name]) if name in rules else rule for name in plastic}
    known: dict[str, Rule] = {}
    for one in chosen.values():
        if known.setdefault(one.name, one) is not one:
            what, remedy = "two rules of one name", "a name for each"
            raise DescriptionError("Learning.rules", what, got=one.name, remedy=remedy)
    return chosen


def check_constants(rules: Collection[Rule], named: Mapping[str, tuple[object, object]]) -> None:
    """Raise ArgumentError for a constant that no rule takes from `Learning`.

    named: by its name, what was given, and what it is by default.
    """
    for name, (got, usual) in named.items():
        takers = [rule for rule in rules if getattr(rule, name) is None]
        if name == "eligibility_tau":
            takers = [rule for rule in takers if rule.eligibility_keep is None]
        else:
            takers = [rule for rule in takers if rule.pairs_spikes]
        if got != usual and not takers:
            own = [repr(rule.name) for rule in rules if getattr(rule, name) is not None]
            why = (
                f"rule {' or '.join(own)} has its own"
                if own
                else "no rule takes it: none pairs spikes"
            )
            if name == "eligibility_tau" and not own:
                why = "the rule keeps a share of each window"
            raise ArgumentError(f"Learning.{name}", why, got=quoted(got), remedy="leave it out")


def rules_by_population(targets: Sequence[Target]) -> dict[str, list[Rule]]:
    return {t.name: [other.rule for other in targets if other.name == t.name] for t in targets}


def check_backend(backend: Backend, targets: Sequence[Target]) -> None:
    """Raise an error unless the weights are the caller's to write, and what learns is recorded."""
    if backend.simulator.learns_by_itself:
        what, remedy = "learns by a rule of its own", "load it without learning="
        raise UnsupportedError(f"backend {backend.name}", what, remedy=remedy)
    backend.check_can("set_weights", "weights")
    if not targets:
        remedy = "Projection(..., plasticity=Plasticity(...))"
        raise DescriptionError("Learning", "no projection of the network learns", remedy=remedy)
    populations = {p.name for p in backend.network.populations}
    used = {name for t in targets for name in (t.name, *(p.pre for p in t.into))}
    missing = sorted(used & populations - set(backend.record))
    if missing:
        what, remedy = "must be recorded to learn", "leave record= out, or add them"
        raise ArgumentError("Learning, record", what, got=missing, remedy=remedy)
