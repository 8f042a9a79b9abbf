"""Change single fields of an agent, its parts' own ones too (``neuron.tau_mem``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.errors import ArgumentError, RunError, quoted, unknown_name_error
from neurorl.hints import HINTS
from neurorl.models.config import AgentConfig
from neurorl.models.fields import NAMED, UNSET, option_names, option_types
from neurorl.models.presets import make_config
from neurorl.network.serialization import Described, number
from neurorl.plain import declared_types, fits, kind_name

__all__ = ["check_same", "overridden", "preset_with", "typed"]


def preset_with(env: gym.Env[Any, Any], model: str, overrides: Mapping[str, Any]) -> AgentConfig:
    """Return the preset for an environment with *overrides*, see `overridden`."""
    whole, inner = _apart(overrides)
    return _with_inner(make_config(env, model, whole), inner)


def overridden(config: AgentConfig, overrides: Mapping[str, Any]) -> AgentConfig:
    """Return an agent with other fields: by name, or as ``FIELD.NAME`` a field of that field.

    ``rules.PROJECTION`` and ``modulators.NAME`` are each one of these.

    Raises UnknownNameError for a field that there isn't, ArgumentError for one of another type.
    """
    whole, inner = _apart(overrides)
    known = {*option_names()} - {*UNSET}
    for name in whole:
        if name not in known:
            raise unknown_name_error("agent option", name, known, HINTS)
    return _with_inner(config.changed(**whole), inner)


def check_same(where: str, config: AgentConfig, overrides: Mapping[str, Any]) -> None:
    """Raise RunError for the first of the *overrides* that a run's agent was begun without."""
    for name, value in overrides.items():
        if overridden(config, {name: value}) != config:
            what = f"was started with another {name}"
            remedy = "resume without it, or use another --out"
            raise RunError(where, what, got=quoted(value), remedy=remedy)


def typed(where: str, name: str, value: object, kind: Any = None) -> object:
    """Return the value of a field as its type has it; for whole fields of agents it is known.

    Raises UnknownNameError for a name of no field, ArgumentError for a value of another type.
    """
    if kind is None:
        known = sorted({*option_names()} - {*UNSET})
        if name not in known:
            raise unknown_name_error(f"{where}, agent option", name, known, HINTS)
        kind = option_types()[name]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return number(f"{where} {name}", value)
    if not fits(value, kind):
        raise ArgumentError(
            f"{where} {name}", "of another type", got=quoted(value), limit=kind_name(kind)
        )
    return value


def _apart(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part whole fields from fields of fields."""
    whole = {name: value for name, value in overrides.items() if "." not in name}
    return whole, {name: value for name, value in overrides.items() if "." in name}


def _with_inner(config: AgentConfig, inner: Mapping[str, Any]) -> AgentConfig:
    """Return an agent with other fields of its fields."""
    for name, value in inner.items():
        outer, _, field = name.partition(".")
        if outer in NAMED:
            config = config.changed(**{outer: {**(getattr(config, outer) or {}), field: value}})
            continue
        part = getattr(config, outer, None)
        if not isinstance(part, Described):
            raise unknown_name_error("agent option with fields", outer, _with_fields(config))
        names = [f.name for f in dataclasses.fields(part)]  # type: ignore[arg-type]
        if field not in names:
            raise unknown_name_error(f"field of {outer}", field, names)
        kind = declared_types(type(part)).get(field, Any)
        if fits(object(), kind) and isinstance(getattr(part, field), (float, np.ndarray)):
            kind = float | tuple[float, ...]  # declared as whatever makes an array
        value = typed(outer, field, value, kind)
        changed = dataclasses.replace(part, **{field: value})  # type: ignore[type-var]
        config = config.changed(**{outer: changed})
    return config


def _with_fields(config: AgentConfig) -> list[str]:
    return [
        f.name for f in dataclasses.fields(config) if isinstance(getattr(config, f.name), Described)
    ]
