"""Read settings of a new run from words such as ``policy.beta=0.2``, and from files.

A file is the ``config.json`` of another run, taken whole, or JSON or TOML of fields::

    rule = "spikes-only-hebbian"
    [policy]
    beta = 0.2
    [neuron]
    tau_mem = 5e-3
    [gradient]
    learning_rate = 1e-3
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from neurorl.errors import ArgumentError, quoted
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.options import check_option, current_name
from neurorl.network.serialization import Described
from neurorl.runs.config import Options, RunConfig
from neurorl.storage.plain import Named, PlainData
from neurorl.storage.reading import JSON_BYTES, FilePlace, parse_json, read_bytes
from neurorl.tasks.arguments import read_value

GRADIENT = "gradient"
"""Prefix options of the gradient algorithm with this: ``gradient.learning_rate=1e-3``."""


def read_settings(texts: Sequence[str], where: str = "--set") -> PlainData:
    """Return the fields named by ``FIELD=VALUE``; VALUE is JSON or else text, of FIELD's type.

    Raises ArgumentError, or UnknownNameError for an unknown field.
    """
    fields: PlainData = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            remedy = f"such as {where} policy.beta=0.2"
            raise ArgumentError(where, "is not FIELD=VALUE", got=repr(text)[:80], remedy=remedy)
        if name in fields:
            raise ArgumentError(where, "is given twice", got=name)
        fields[name] = read_value(value)
    return read_fields(fields, where)


def read_fields(data: Named, where: str) -> PlainData:
    """Return fields of an agent from plain data, with their types; errors begin with *where*."""
    fields = {current_name(where, name): _object(value) for name, value in data.items()}
    for name, value in fields.items():
        check_option(where, name, value)
    return fields


def read_config(path: Path, env: str) -> Options:
    """Return the options in a file for a run on *env*: see the module. Raises NeurorlError."""
    place = FilePlace(f"--config {path}")
    raw = read_bytes(path, JSON_BYTES, place)
    if path.suffix.lower() == ".toml":
        try:
            data: Any = tomllib.loads(raw.decode())
        except (ValueError, RecursionError) as exc:
            raise place.wrong("is no TOML", got=exc) from exc
    else:
        data = parse_json(raw, place)
    if not isinstance(data, Mapping):
        raise place.wrong("is of something else", limit="fields by name")
    if isinstance(data.get("agent"), Mapping) and "env" in data:
        return _of_run(RunConfig.from_file(data, place), env, place)
    return apart(read_fields(dict(flat_fields(data, place.where)), place.where))


def apart(settings: Named) -> Options:
    """Return options of training: fields of the agent, apart from the algorithm's own."""
    found: dict[str, PlainData] = {}
    for name, value in settings.items():
        of, _, option = name.partition(".")
        kind, field = (GRADIENT, option) if of == GRADIENT else ("overrides", name)
        found.setdefault(kind, {})[field] = value
    return cast(Options, found)


def merged(file: Options, flags: Options) -> Options:
    """Return the options of a file and of flags; flags take precedence.

    Raises ArgumentError for a flag that the file's agent can't follow.
    """
    said: PlainData = {name: value for name, value in flags.items() if value is not None}
    below: PlainData = {**file}
    if "config" in file and said.get("model") not in (None, file["config"].model):
        got, limit = said["model"], file["config"].model
        raise ArgumentError("--model", "is another than that of --config", got=got, limit=limit)
    for flag, others in _DECIDES.items():
        if flag in said and said[flag] != below.get(flag):
            below = {name: value for name, value in below.items() if name not in others}
    for name in ("overrides", GRADIENT):
        if below.get(name) and name in said:
            said[name] = {**below[name], **said[name]}
    return cast(Options, {**below, **said})


_DECIDES: dict[str, tuple[str, ...]]
_DECIDES = {
    "approach": ("backend", "arithmetic", "noise", GRADIENT),
    "backend": ("arithmetic", "noise"),
    "episodes": ("steps",),
    "steps": ("episodes",),
}
"""Map each setting to the file's settings that don't hold once a flag changes it."""


def _of_run(run: RunConfig, env: str, place: FilePlace) -> Options:
    remedy = "write the fields that you mean to a TOML file"
    if run.env != env:
        what = "is a run of another environment"
        raise ArgumentError(place.where, what, got=env, limit=run.env, remedy=remedy)
    run.check_env(place.where, remedy)
    names = ("backend", "arithmetic", "noise", "learning", "approach", "env_args", "wrappers")
    others = ("gradient", "episodes", "steps", "environments", "eval_every", "eval_episodes")
    said = {name: getattr(run, name) for name in (*names, *others)}
    return cast(Options, {"config": AgentConfig.from_dict(run.agent or {}), **said})


def _object(data: object) -> object:
    """Turn plain data into a field's value: lists into tuples, typed dicts into objects."""
    if isinstance(data, list):
        return tuple(map(_object, data))
    return Described.from_dict(data) if isinstance(data, Mapping) and "type" in data else data


def flat_fields(data: Named, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields, in tables as ``TABLE.NAME``; an empty table raises ArgumentError."""
    for name, value in data.items():
        if not isinstance(value, Mapping) or "type" in value:
            yield name, value
        elif value:
            yield from ((f"{name}.{inner}", of) for inner, of in flat_fields(value, where))
        else:
            remedy = "write fields into it, or leave it out"
            raise ArgumentError(where, "has an empty table", got=quoted(name), remedy=remedy)
