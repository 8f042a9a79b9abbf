"""Read what versions 0.1 and 0.2 wrote, when fields of parts were options of the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorl.errors import format_message, warn_outside
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.parts import field_names
from neurorl.network.serialization import type_name

__all__ = ["MOVED", "current_agent", "current_name"]

_NAMES: Mapping[str, str] = {
    "peak": "encoder.peak",
    "beta": "policy.beta",
    "beta_end": "policy.beta_end",
    "beta_decisions": "policy.beta_decisions",
    "epsilon": "policy.epsilon",
    "exploration": "policy.exploration",
    "repeats": "policy.repeats",
    "repeats_decisions": "policy.repeats_decisions",
    "alpha_critic": "critic.alpha",
    "lambda_critic": "critic.lambda_",
    "critic_neurons": "critic.neurons",
    "critic_scale": "critic.scale",
    "critic_changes": "critic.changes",
    "initial_value": "critic.initial_value",
    "write_every": "writes.every",
    "modulator_limit": "modulator.limit",
    "rate_end": "schedule.end",
    "rate_episodes": "schedule.episodes",
    "rate_decisions": "schedule.decisions",
    "pes_magnitude": "learning.magnitude",
}


def _as_object(name: str) -> str:
    kind, _, field = name.partition(".")
    cls = KINDS[kind].with_field(field)[0]
    return f"{kind}={cls.__name__}({field}=...), on the command line {name}=..."


MOVED: Mapping[str, str] = {old: _as_object(new) for old, new in _NAMES.items()}
"""Map each option that has become a field of a part to its new name."""


def current_name(where: str, name: str) -> str:
    """Return today's name of an option; warn if it has moved."""
    if name in _NAMES:
        what, remedy = f"{name} is a field of a part now", f"write {_NAMES[name]}"
        warn_outside(format_message(where, what, remedy=remedy), FutureWarning)
    return _NAMES.get(name, name)


def current_agent(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return plain data of an agent with the fields of each part inside it; parts were names."""
    named = KINDS.keys() - {"trunk"}  # which only some files of today have
    if not any(isinstance(data.get(kind, ""), str) for kind in named):
        return data
    current = {name: value for name, value in data.items() if name not in _NAMES}
    for kind, registry in KINDS.items():
        choice = data.get(kind, registry.default.name)
        if isinstance(choice, str):
            cls = registry.find(choice)
            options = {field: f"{kind}.{field}" for field in field_names(cls)}
            said = {new: data[old] for old, new in _NAMES.items() if old in data}
            fields = {field: said[new] for field, new in options.items() if new in said}
            current[kind] = {"type": type_name(cls), **fields}
    return current
