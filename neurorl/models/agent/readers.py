"""Refuse options that nothing in an agent reads, as they would change nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.models.actor import hidden_sizes
from neurorl.models.agent.fields import KINDS, AgentFields
from neurorl.models.agent.options import unread
from neurorl.models.agent.parts import Part
from neurorl.models.agent.schedules import LinearFall

__all__ = ["check_read", "said_in"]


@dataclass(frozen=True)
class _Reader:
    """Say when an option is read, and by what."""

    reads: Callable[[AgentFields], bool]
    by: str


def check_read(config: AgentFields, named: Mapping[str, Any]) -> None:
    """Raise DescriptionError for the first of the *named* options that nothing in an agent reads.

    Files have all options, so only those that a caller names are checked.
    """
    for name, value in said_in(named).items():
        for reader in _READERS.get(name, ()):
            if not reader.reads(config):
                raise unread(name, value, reader.by)


def said_in(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the *named* options, and fields of named parts that differ from their defaults."""
    said = {**named}
    for kind in KINDS.keys() & named.keys():
        if isinstance(part := named[kind], Part):
            usual = {f.name: _usual(f) for f in dataclasses.fields(part)}  # type: ignore[arg-type]
            has = {name: getattr(part, name) for name in usual}
            said |= {f"{kind}.{n}": v for n, v in has.items() if np.any(v != usual[n])}
    return said


def _usual(of: dataclasses.Field[object]) -> object:
    return of.default if of.default_factory is dataclasses.MISSING else of.default_factory()


def _pairs_spikes(config: AgentFields) -> bool:
    return any(rule.pairs_spikes for rule in config.all_rules)


def _has_hidden(config: AgentFields) -> bool:
    """Return whether a layer besides the output and the critic learns."""
    if config.description is None:
        return bool(hidden_sizes(config.hidden))
    learn = {p.post for p in config.description.projections if p.plasticity is not None}
    return bool(learn - {"output", config.critic.population})


def _reads_values(config: AgentFields) -> bool:
    return config.needs_critic or config.critic.population is not None


_OF_MODULES = _Reader(lambda c: c.description is None, "agents without a description")
_OF_ACTIONS = _Reader(lambda c: not c.trunk.is_shared, "agents with the trunk 'modules'")
_OF_HIDDEN = _Reader(_has_hidden, "agents with hidden units")
_OF_PAIRS = _Reader(_pairs_spikes, "rules that pair spikes, such as 'reward-stdp'")
_OF_VALUES = _Reader(_reads_values, "modulators that read the critic, such as 'td-error'")
_READERS: Mapping[str, tuple[_Reader, ...]] = {
    **dict.fromkeys(("neuron", "hidden", "weight_bound", "critic.neurons"), (_OF_MODULES,)),
    **dict.fromkeys(("actors", "bias", "initial_output"), (_OF_MODULES, _OF_ACTIONS)),
    **dict.fromkeys(("trace_tau", "stimulus_lags", "history_lags"), (_OF_MODULES, _OF_ACTIONS)),
    **dict.fromkeys(("history", "input_recalls"), (_OF_MODULES, _OF_ACTIONS)),
    "hidden_recalls": (_OF_MODULES, _OF_ACTIONS),
    "initial_hidden": (_OF_MODULES, _OF_ACTIONS, _OF_HIDDEN),
    "signed": (_OF_MODULES, _OF_HIDDEN),
    **dict.fromkeys(("rule", "features", "normalises"), (_OF_ACTIONS,)),
    "alpha_hidden": (_OF_HIDDEN,),
    **dict.fromkeys(("eligibility_tau", "post_tau", "depression"), (_OF_PAIRS,)),
    "lambda_actor": (
        _Reader(lambda c: not all(r.pairs_spikes for r in c.all_rules), "rules of decisions"),
    ),
    **dict.fromkeys(("critic.lambda_", "critic.initial_value"), (_OF_VALUES,)),
    "policy.repeats_decisions": (
        _Reader(lambda c: c.policy.repeats > 1, "policy.repeats of 2 or more"),
    ),
    "schedule.episodes": (
        _Reader(
            lambda c: not isinstance(c.schedule, LinearFall) or c.schedule.end < 1.0,
            "a schedule.end below 1",
        ),
    ),
}
"""Map options that only some agents read to what must hold for each."""
