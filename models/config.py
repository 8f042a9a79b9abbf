"""Describe everything that decides how an agent learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from neurorl.errors import DescriptionError, quoted
from neurorl.models.actor import actor_network
from neurorl.models.answers import check_attributes
from neurorl.models.checks import (
    check_combination,
    check_description,
    check_modules,
    check_probability,
    check_rules,
)
from neurorl.models.features import Features
from neurorl.models.fields import (
    FILE_ORDER,
    KINDS,
    LATER,
    LATER_OPTIONS,
    AgentFields,
    option_types,
)
from neurorl.models.policies import POLICIES
from neurorl.models.readers import check_read
from neurorl.network.description import Network, Neuron
from neurorl.network.limits import MAX_AGENT_SYNAPSES, MAX_DELAY, MAX_SIZE, check_limit
from neurorl.network.serialization import flag, number, positive
from neurorl.plain import kind_name

__all__ = ["AgentConfig"]

_FLAGS = ("signed", "normalises", "carries", "solved_discounted", "bias")
_COUNTS = {"window": MAX_DELAY, "actors": MAX_SIZE}
_NOT_NEGATIVE = (
    *("alpha_output", "alpha_hidden", "trace_tau", "eligibility_tau", "post_tau", "depression"),
)


@dataclass(frozen=True, eq=False, init=False)
class AgentConfig(AgentFields):
    """Describe an agent: its network, its rule, its other parts and their rates.

    `AgentFields` says what the fields mean, and each part what its own do. Parts are taken as
    objects (``policy=Softmax(beta=0.2)``), or by name with their fields as options of the agent
    (``policy="softmax", beta=0.2``), as files have them.

    Raises DescriptionError for an option that is out of range, or that nothing of the agent reads.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._check_ranges()
        check_combination(self)
        if self.description is None:
            check_modules(self)
        else:
            check_description(self, self.description)
        if "flat" not in options:  # copies, files and presets name all options, read or not
            options.pop("neuron", None)  # which nobody can leave out
            check_read(self, options)

    @classmethod
    def of_file(cls, fields: Mapping[str, Any]) -> Self:
        """Return the agent of a file's fields, which are all options, read or not."""
        return cls(flat={}, **fields)

    def _check_ranges(self) -> None:
        for name, kind in {"cells": Features, "features": Features, "neuron": Neuron}.items():
            if not isinstance(getattr(self, name), kind):
                got, limit = quoted(getattr(self, name)), kind_name(kind)
                raise DescriptionError(f"agent.{name}", "of another type", got=got, limit=limit)
        for part in (*self.parts.values(), *(self.modulators or {}).values()):
            check_attributes(part)
        for features in (self.cells, self.features):
            check_attributes(features)
        for name in _FLAGS:
            flag(f"agent.{name}", getattr(self, name))
        for name, most in _COUNTS.items():
            positive(f"agent.{name}", getattr(self, name), most=most)
        positive("agent.first_play_steps", self.first_play_steps, least=0)
        for name in ("gamma", "lambda_actor"):
            number(f"agent.{name}", getattr(self, name), 0.0, 1.0)
        for name in _NOT_NEGATIVE:
            number(f"agent.{name}", getattr(self, name), 0.0)
        for name in ("reward_scale", "initial_hidden", "initial_output", "weight_bound"):
            number(f"agent.{name}", getattr(self, name))
        if self.solved_at is not None:
            number("agent.solved_at", self.solved_at)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: shipped parts by name, with their fields as options of the agent."""
        data = super().to_dict()
        data |= data.pop("flat")
        for kind, registry in KINDS.items():
            part = getattr(self, kind)
            if registry.is_shipped(part):
                data[kind] = part.name
                if kind not in FILE_ORDER and part.name == registry.default:  # the only one once
                    del data[kind]
            for option in registry.unsaid(part, data):
                if option not in FILE_ORDER:  # nor was there this option
                    del data[option]
            for option in LATER_OPTIONS:
                if option in data and data[option] == registry.defaults.get(option):
                    del data[option]
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        for name in LATER:
            usual = defaults[name]
            if data[name] == (list(usual) if isinstance(usual, tuple) else usual):
                del data[name]
        order = ("type", *FILE_ORDER, *data)
        return {name: data[name] for name in dict.fromkeys(order) if name in data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the agent of `to_dict`. Raises DescriptionError for anything else."""
        if isinstance(data, Mapping) and isinstance(data.get("policy"), str):
            policy = POLICIES.get(data["policy"])
            # Older files may have others, without effect.
            data = {**data, **(policy.requires if policy else {})}
        return super().from_dict(data)

    @classmethod
    def field_types(cls) -> Mapping[str, Any]:
        return option_types()

    def changed(self, **options: Any) -> Self:
        """Return the same agent with other *options*, by the names that AgentConfig takes.

        The name of a part that it has leaves that part's own fields as they are. Raises
        DescriptionError for an option that nothing of the changed agent reads.
        """
        for kind in KINDS.keys() & options.keys():
            choice, part = options[kind], getattr(self, kind)
            if isinstance(choice, str) and KINDS[kind].find(choice) is type(part):
                del options[kind]
        changed = dataclasses.replace(self, **options)
        check_read(changed, options)
        return changed

    def network(self, n_actions: int) -> Network:
        """Return the network of an agent with this many actions. Raises DescriptionError."""
        network = self._network(n_actions)
        check_limit("agent", "synapses", network.n_synapses, MAX_AGENT_SYNAPSES)
        return network

    def _network(self, n_actions: int) -> Network:
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
