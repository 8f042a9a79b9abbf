"""Describe everything that decides how an agent learns; refuse options that nothing reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, Unpack

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.models.actor import actor_network, hidden_sizes
from neurorl.models.agent.answers import check_attributes
from neurorl.models.agent.checks import (
    check_combination,
    check_description,
    check_modules,
    check_probability,
    check_rules,
)
from neurorl.models.agent.fields import KINDS, AgentFields
from neurorl.models.agent.options import AgentOptions, current_agent, unread, with_options
from neurorl.models.agent.parts import Part
from neurorl.models.agent.past import PAST
from neurorl.models.agent.schedules import LinearFall
from neurorl.models.deep.network import check_deep, deep_network
from neurorl.models.deep.trunk import Modules
from neurorl.models.features import Features
from neurorl.network.description import Network, Neuron
from neurorl.network.limits import MAX_AGENT_SYNAPSES, check_limit
from neurorl.network.serialization import number
from neurorl.storage.plain import Named, PlainData, kind_name


@dataclass(frozen=True)
class _Reader:
    """Say when an option is read, and by what."""

    reads: Callable[[AgentFields], bool]
    by: str


def check_read(config: AgentFields, named: Named) -> None:
    """Raise DescriptionError for the first of the *named* options that nothing in an agent reads.

    Files have all options, so only those that a caller names are checked.
    """
    for name, value in said_in(named).items():
        for reader in _READERS.get(name, ()):
            if not reader.reads(config):
                raise unread(name, value, reader.by)


def said_in(named: Named) -> PlainData:
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
_OF_FACTORS = _Reader(lambda c: bool(c.all_rules), "rules of post factors, as statements say all")
_OF_PAIRS = _Reader(_pairs_spikes, "rules that pair spikes, such as 'reward-stdp'")
_OF_VALUES = _Reader(_reads_values, "modulators that read the critic, such as 'td-error'")
_READERS: Mapping[str, tuple[_Reader, ...]] = {
    **dict.fromkeys(("neuron", "hidden", "weight_bound", "critic.neurons"), (_OF_MODULES,)),
    **dict.fromkeys(("actors", "bias", "initial_output"), (_OF_MODULES, _OF_ACTIONS)),
    **dict.fromkeys(("stimulus_lags", "history_lags"), (_OF_MODULES, _OF_ACTIONS)),
    "trace_tau": (_OF_MODULES, _OF_ACTIONS, _OF_FACTORS),
    **dict.fromkeys(("history", "input_recalls"), (_OF_MODULES, _OF_ACTIONS)),
    "hidden_recalls": (_OF_MODULES, _OF_ACTIONS),
    "initial_hidden": (_OF_MODULES, _OF_ACTIONS, _OF_HIDDEN),
    "signed": (_OF_MODULES, _OF_HIDDEN),
    **dict.fromkeys(("rule", "features"), (_OF_ACTIONS,)),
    "normalises": (_OF_ACTIONS, _OF_FACTORS),
    "alpha_output": (_OF_FACTORS,),
    "alpha_hidden": (_OF_HIDDEN, _OF_FACTORS),
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


_OBJECTS: Mapping[str, type] = {
    "neuron": Neuron,
    "cells": Features,
    "features": Features,
    **{kind: registry.base for kind, registry in KINDS.items()},
}


@dataclass(frozen=True, eq=False)
class AgentConfig(AgentFields):
    """Describe an agent: its network, its rule, its other parts and their rates.

    `AgentFields` explains the fields, and each part its own.

    Raises DescriptionError for an option that is out of range.
    """

    def __post_init__(self) -> None:
        self._check_kinds()
        super().__post_init__()
        self._check_parts()
        if self.trunk.is_shared:
            check_deep(self)
            return
        check_combination(self)
        if self.description is None:
            check_modules(self)
        else:
            check_description(self, self.description)

    def _check_kinds(self) -> None:
        for name, kind in _OBJECTS.items():
            if not isinstance(getattr(self, name), kind):
                got, limit = quoted(getattr(self, name)), kind_name(kind)
                raise DescriptionError(f"agent.{name}", "of another type", got=got, limit=limit)

    def _check_parts(self) -> None:
        for part in (*self.parts.values(), *(self.modulators or {}).values()):
            check_attributes(part)
        for features in (self.cells, self.features):
            check_attributes(features)
        if self.solved_at is not None:
            number("agent.solved_at", self.solved_at)

    @classmethod
    def from_dict(cls, data: Named) -> Self:
        """Return the agent that `to_dict` wrote, in this version or an older one.

        Raises DescriptionError for anything else.
        """
        return super().from_dict(current_agent(data) if isinstance(data, Mapping) else data)

    def changed(self, **options: Unpack[AgentOptions]) -> Self:
        """Return the same agent with other *options*.

        Raises UnknownNameError for an unknown option, and DescriptionError for one that nothing in
        the changed agent reads.
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        changed = type(self)(**with_options(fields, options))
        check_read(changed, options)
        return changed

    def network(self, n_actions: int) -> Network:
        """Return the network of an agent with this many actions. Raises DescriptionError."""
        network = self._network(n_actions)
        check_limit("agent", "synapses", network.n_synapses, MAX_AGENT_SYNAPSES)
        return network

    def to_dict(self) -> PlainData:
        """Return plain data for `from_dict`; what older versions didn't have is named if used."""
        data = super().to_dict()
        for name in {"looks_at", "looked", *PAST} - {"memories"}:
            if not data[name]:
                del data[name]
        if type(self.trunk) is Modules:
            del data["trunk"]
        return data

    def _network(self, n_actions: int) -> Network:
        if self.trunk.is_shared:
            return deep_network(self, n_actions)
        if self.description is not None:
            size = self.description.node("output").size
            if size % n_actions:
                what = f"its output must be a multiple of {n_actions} actions"
                raise DescriptionError("agent.description", what, got=size)
            return self.description
        network = actor_network(
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
            stimulus_lags=self.stimulus_lags,
            history_lags=self.history_lags,
            history=self.history,
            input_delays=tuple(1 + ago * self.window for ago in self.input_recalls),
            hidden_delays=tuple(1 + ago * self.window for ago in self.hidden_recalls),
            critic=self.critic.neurons,
            critic_inputs=self.features.size,
            currents=self.encoder.flows,
            bias=self.bias,
        )
        check_rules(self, "agent.rule", network)
        check_probability(self, "agent.rule", network)
        return network
