"""Say which options of an agent a caller may name, and put them among its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from neurorl.errors import ArgumentError, DescriptionError, quoted, unknown_name_error
from neurorl.models.agent.critics import Critic
from neurorl.models.agent.encoders import Encoder
from neurorl.models.agent.fields import KINDS, NAMED
from neurorl.models.agent.hints import HINTS
from neurorl.models.agent.modulators import Modulator
from neurorl.models.agent.older import MOVED
from neurorl.models.agent.places import Place
from neurorl.models.agent.policies import Policy
from neurorl.models.agent.schedules import Schedule
from neurorl.models.agent.writes import Writes
from neurorl.models.deep.trunk import INNER, Trunk
from neurorl.models.features import Features
from neurorl.network.description import Network, Neuron
from neurorl.network.serialization import Described
from neurorl.rules import Rule
from neurorl.storage.plain import declared_types, fits, kind_name

__all__ = ["AgentOptions", "check_names", "check_option", "option_types", "unread", "with_options"]


class AgentOptions(TypedDict, total=False):
    """Name the options of agents: the fields of `AgentFields`, and parts by name, too."""

    neuron: Neuron
    rule: str | Rule
    rules: Mapping[str, str | Rule] | None
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
    description: Network | None
    solved_at: float | None
    solved_discounted: bool


def option_types() -> dict[str, Any]:
    """Return the type of each option, fields of parts as ``KIND.FIELD``."""
    types = {**declared_types(AgentOptions)}
    for kind, registry in KINDS.items():
        for cls in registry.values():
            for field in dataclasses.fields(cls):
                own = declared_types(cls).get(field.name, Any)
                types.setdefault(f"{kind}.{field.name}", own)
    return types | {f"trunk.{name}": registry.base | str for name, registry in INNER.items()}


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


def with_options(fields: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return an agent's *fields* with the options that are *named* put in.

    Options are fields, or fields of a part as ``FIELD.NAME``; ``rules.PROJECTION`` and
    ``modulators.NAME`` set single entries. A part that is chosen by name takes over the fields that
    it shares with the previous part. Raises UnknownNameError for an unknown option, and
    DescriptionError for a field that the part doesn't have or a value out of range.
    """
    changed = {**fields}
    check_names(named)
    for name in (name for name in named if "." not in name):
        before = vars(fields[name]) if name in KINDS else {}
        changed[name] = KINDS[name].make(named[name], before) if name in KINDS else named[name]
    for name, value in named.items():
        outer, dot, inner = name.partition(".")
        if dot and outer in NAMED:
            changed[outer] = {**(changed.get(outer) or {}), inner: value}
        elif dot:
            _check_inner(changed, outer, inner, value)
            changed[outer] = dataclasses.replace(changed[outer], **{inner: value})
    return changed


def unread(name: str, value: object, by: str) -> DescriptionError:
    """Return the error for an option that nothing in an agent reads; *by* names what would."""
    what, remedy = "nothing of this agent reads it", f"leave it out; it is for {by}"
    return DescriptionError(f"agent.{name}", what, got=quoted(value), remedy=remedy)


def _check_inner(fields: Mapping[str, Any], outer: str, inner: str, value: object) -> None:
    """Raise an error unless the field *outer* has a field *inner*."""
    part = fields.get(outer)
    if not isinstance(part, Described):
        known = [name for name, each in fields.items() if isinstance(each, Described)]
        raise unknown_name_error("agent option with fields", outer, known)
    names = [field.name for field in dataclasses.fields(part)]  # type: ignore[arg-type]
    if inner in names:
        return
    others = KINDS[outer].with_field(inner) if outer in KINDS else []
    if others:
        by = " or ".join(dict.fromkeys(repr(cls.name) for cls in others))
        raise unread(f"{outer}.{inner}", value, f"{outer} {by}")
    raise unknown_name_error(f"field of {outer}", inner, names)
