"""Describe everything that decides how an agent learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, Unpack

from neurorl.errors import DescriptionError, quoted
from neurorl.models.actor import actor_network
from neurorl.models.agent.answers import check_attributes
from neurorl.models.agent.checks import (
    check_combination,
    check_description,
    check_modules,
    check_probability,
    check_rules,
)
from neurorl.models.agent.fields import KINDS, AgentFields
from neurorl.models.agent.options import AgentOptions, current_agent, with_options
from neurorl.models.agent.readers import check_read
from neurorl.models.deep.network import check_deep, deep_network
from neurorl.models.deep.trunk import Modules
from neurorl.models.features import Features
from neurorl.network.description import Network, Neuron
from neurorl.network.limits import MAX_AGENT_SYNAPSES, check_limit
from neurorl.network.serialization import number
from neurorl.storage.plain import kind_name

__all__ = ["AgentConfig"]

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
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for `from_dict`; modules, as older versions had them, aren't named."""
        data = super().to_dict()
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
