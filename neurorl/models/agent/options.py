"""Read what versions 0.1 and 0.2 wrote, when fields of parts were options of the agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from neurorl.errors import ArgumentError, DescriptionError, quoted, unknown_name_error, warn_of
from neurorl.models.agent.critics import Critic
from neurorl.models.agent.encoders import Encoder
from neurorl.models.agent.fields import KINDS, NAMED
from neurorl.models.agent.hints import HINTS
from neurorl.models.agent.modulators import Modulator
from neurorl.models.agent.parts import Part, field_names
from neurorl.models.agent.policies import Policy
from neurorl.models.agent.schedules import Schedule
from neurorl.models.agent.writes import Place, Writes
from neurorl.models.deep.trunk import INNER, Trunk
from neurorl.models.features import Features
from neurorl.network.description import Network, Neuron
from neurorl.network.serialization import Described, type_name
from neurorl.rules import Rule, SynapseRule
from neurorl.storage.plain import Named, PlainData, declared_types, fits, kind_name

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
        warn_of(FutureWarning, where, what, remedy=remedy)
    return _NAMES.get(name, name)


def current_agent(data: Named) -> Named:
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


class AgentOptions(TypedDict, total=False):
    """Name the options of agents: the fields of `AgentFields`, and parts by name, too."""

    neuron: Neuron
    rule: str | Rule | SynapseRule
    rules: Mapping[str, str | Rule | SynapseRule] | None
    cells: Features
    features: Features
    window: int
    encoder: Encoder | str
    policy: Policy | str
    critic: Critic | str
    writes: Writes | str
    modulator: Modulator | str
    modulators: Mapping[str, Modulator] | None
    schedule: Schedule | str
    learning: Place | str
    trunk: Trunk | str
    actors: int
    hidden: int | tuple[int, ...]
    bias: bool
    signed: bool
    trace_tau: float
    weight_bound: float
    initial_hidden: float
    initial_output: float
    stimulus_lags: int
    history_lags: int
    history: tuple[float, ...]
    input_recalls: tuple[int, ...]
    hidden_recalls: tuple[int, ...]
    alpha_output: float
    alpha_hidden: float
    gamma: float
    lambda_actor: float
    reward_scale: float
    normalises: bool
    eligibility_tau: float
    post_tau: float
    depression: float
    carries: bool
    memories: tuple[float, ...]
    traces: tuple[float, ...]
    sees_actions: bool
    sees_rewards: bool
    held_by: tuple[int, ...]
    summed_by: tuple[int, ...]
    cues: tuple[int, ...]
    tally: tuple[int, ...]
    tally_since: tuple[int, ...]
    tally_until: tuple[int, ...]
    looks_at: tuple[str, ...]
    description: Network | None
    solved_at: float | None
    solved_discounted: bool


def option_types() -> PlainData:
    """Return the type of each option, fields of parts as ``KIND.FIELD``."""
    types = {**declared_types(AgentOptions)}
    within = {f"trunk.{kind}": registry for kind, registry in INNER.items()}
    for kind, registry in {**KINDS, **within}.items():
        for cls in registry.values():
            for field in dataclasses.fields(cls):
                own = declared_types(cls).get(field.name, Any)
                types.setdefault(f"{kind}.{field.name}", own)
    return types | {kind: registry.base | str for kind, registry in within.items()}


def check_names(named: Iterable[str], where: str = "agent option") -> None:
    """Raise UnknownNameError for the first of these names that isn't an option."""
    for name in named:
        if "." not in name and name not in AgentOptions.__annotations__:
            raise unknown_name_error(where, name, option_types(), {**HINTS, **MOVED})


def check_option(where: str, name: str, value: object) -> None:
    """Check name and type of an option before there is an agent.

    Raises UnknownNameError for an unknown option, ArgumentError for a value of another type.
    """
    check_names([name], f"{where}, agent option")
    types = option_types()
    if not fits(value, types.get(name, Any)):
        got, limit = quoted(value), kind_name(types[name])
        raise ArgumentError(f"{where} {name}", "of another type", got=got, limit=limit)


def with_options(fields: Named, named: Named) -> PlainData:
    """Return an agent's *fields* with the options that are *named* put in.

    Options are fields, or fields of a part as ``FIELD.NAME`` (``FIELD.NAME.NAME`` of a part within
    it); ``rules.PROJECTION`` and ``modulators.NAME`` set single entries. A part that is chosen by
    name takes over the fields that it shares with the previous part. Raises UnknownNameError for an
    unknown option, and DescriptionError for a field that the part doesn't have or a value out of
    range.
    """
    changed = {**fields}
    check_names(named)
    for name in (name for name in named if "." not in name):
        before = vars(fields[name]) if name in KINDS else {}
        changed[name] = KINDS[name].make(named[name], before) if name in KINDS else named[name]
    dotted = (name for name in named if "." in name)
    for name in sorted(dotted, key=lambda name: name.count(".")):  # a part before its fields
        outer, _, inner = name.partition(".")
        if outer in NAMED:
            changed[outer] = {**(changed.get(outer) or {}), inner: named[name]}
            continue
        if not isinstance(changed.get(outer), Described):
            known = [name for name, each in changed.items() if isinstance(each, Described)]
            raise unknown_name_error("agent option with fields", outer, known)
        changed[outer] = _with_field(changed[outer], outer, inner, named[name])
    return changed


def unread(name: str, value: object, by: str) -> DescriptionError:
    """Return the error for an option that nothing in an agent reads; *by* names what would."""
    what, remedy = "nothing of this agent reads it", f"leave it out; it is for {by}"
    return DescriptionError(f"agent.{name}", what, got=quoted(value), remedy=remedy)


def _with_field(part: Described, place: str, name: str, value: object) -> Described:
    """Return a part with another value of a field, which may be of a part within it."""
    own, dot, inner = name.partition(".")
    kind, names = place.rpartition(".")[2], [*field_names(type(part))]
    if own not in names:
        registry = {**KINDS, **INNER}.get(kind)
        if others := registry.with_field(own) if registry else []:
            by = " or ".join(dict.fromkeys(repr(cls.name) for cls in others))
            raise unread(f"{place}.{name}", value, f"{kind} {by}")
        raise unknown_name_error(f"field of {place}", own, names)
    within = getattr(part, own)
    if dot and not isinstance(within, Described):
        raise unknown_name_error(f"field of {place}", name, names)
    if dot:
        value = _with_field(within, f"{place}.{own}", inner, value)
    elif isinstance(within, Part) and within.name == value:
        value = within  # with the fields that it has
    return dataclasses.replace(part, **{own: value})  # type: ignore[type-var]
