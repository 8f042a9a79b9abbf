"""Read arguments of environments, and wrappers, from the command line; write arguments as data.

``gymnasium.wrappers:TimeLimit,max_episode_steps=50`` is a wrapper with an argument, whose value is
JSON or else text. A module must be imported already, or be Gymnasium's.
"""

from __future__ import annotations

import importlib
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.storage.plain import DTYPES, Named, PlainData
from neurorl.tasks.actions import read_actions
from neurorl.tasks.environments import first_line
from neurorl.tasks.kinds import Environment

_TAG = "$"  # key of what JSON doesn't have
_PLAIN = (bool, int, str, type(None))
_WORDS = {"True": True, "False": False, "None": None}


class NotDataError(Exception):
    """Say what can't be written as data."""


def encode(where: str, value: object) -> Any:
    """Return *value* as JSON holds it; tuples, arrays and infinities are marked, so that they stay.

    Raises NotDataError for anything that isn't made of numbers, texts, lists, dicts and arrays.
    """
    if type(value) in _PLAIN:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {_TAG: "float", "of": repr(value)}
    if type(value) is list:
        return [encode(where, v) for v in value]
    if type(value) is tuple:
        return {_TAG: "tuple", "of": [encode(where, v) for v in value]}
    if type(value) is dict and all(type(key) is str and key != _TAG for key in value):
        return {key: encode(where, v) for key, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.name in DTYPES:
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        shape = {"shape": list(value.shape)} if kind == "array" else {}
        content = encode(where, value.ravel().tolist() if kind == "array" else value.item())
        return {_TAG: kind, "of": content, "dtype": value.dtype.name, **shape}
    raise NotDataError(f"{where} is a {type(value).__name__}, which is not plain data")


def decode(data: object) -> Any:
    """Return the value that `encode` wrote. Raises ValueError or KeyError for anything else."""
    if isinstance(data, list):
        return [decode(v) for v in data]
    if not isinstance(data, Mapping):
        return data
    if _TAG not in data:
        return {str(key): decode(v) for key, v in data.items()}
    kind, of = data[_TAG], decode(data["of"])
    if kind == "float":
        return float(of)
    if kind == "tuple":
        return tuple(of)
    if kind not in ("array", "scalar") or data["dtype"] not in DTYPES:
        raise ValueError(f"unknown kind of data {kind!r}")
    dtype = np.dtype(data["dtype"])
    return dtype.type(of) if kind == "scalar" else np.array(of, dtype).reshape(data["shape"])


def read_env_args(texts: Sequence[str], where: str = "--env-arg") -> PlainData:
    """Return the arguments named by ``--env-arg K=V``, V read as JSON or else as text.

    Raises ArgumentError, which begins with *where*.
    """
    arguments: PlainData = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier() or key == "id":
            remedy = "such as --env-arg is_slippery=false"
            raise ArgumentError(where, "is not K=V", got=repr(text)[:80], remedy=remedy)
        if key in arguments:
            raise ArgumentError(where, "is given twice", got=key)
        arguments[key] = read_value(value)
    check_env_args(arguments)
    return arguments


def check_env_args(arguments: Named) -> None:
    """Raise ArgumentError unless *arguments* can be stored with a run."""
    for key, value in arguments.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as exc:
            what = "can't be stored with the run"
            limit = "finite numbers, true, false, texts, lists of them"
            raise ArgumentError(
                f"environment argument {key!r}", what, got=repr(value)[:80], limit=limit
            ) from exc


def read_value(text: str) -> Any:
    """Return the value of a command-line word: JSON, one of Python's constants, or text."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_BETWEEN = re.compile(r",(?=[^\W\d]\w*=)")
_GYMNASIUMS = "gymnasium.wrappers"


def module_of(text: str) -> str:
    """Return the module that a wrapper's text names, or a callback's."""
    return text.partition(":")[0]


def check_wrappers(wrappers: object, kind: str = "wrapper") -> tuple[str, ...]:
    """Return the texts of wrappers, or of callbacks (*kind*). Raises ArgumentError for others."""
    if not isinstance(wrappers, (list, tuple)):
        raise ArgumentError(f"{kind}s", "are of another kind", got=type(wrappers).__name__)
    for text in wrappers:
        name = _BETWEEN.split(text)[0] if isinstance(text, str) else ""
        if not re.fullmatch(r"[\w.]+:\w+", name):
            limit = f"MODULE:{kind.upper()} or MODULE:{kind.upper()},K=V"
            raise ArgumentError(kind, "isn't named", got=repr(text)[:80], limit=limit)
        read_env_args(_BETWEEN.split(text)[1:], f"{kind} {name}")
    return tuple(wrappers)


def wrapped(env: Environment, wrappers: Sequence[str]) -> Environment:
    """Return *env* in these, the first one innermost.

    Raises ArgumentError for no wrapper or one not imported, UnsupportedError if it can't be made.
    """
    name = env.spec.id if env.spec is not None else ""
    for text in check_wrappers(wrappers):
        kind, arguments = read_wrapper(text)
        try:
            env = kind(env, **arguments)
        except Exception as exc:  # a user's code may raise anything
            where, what = f"wrapper {_BETWEEN.split(text)[0]}", "can't be made"
            raise UnsupportedError(where, what, got=first_line(exc)) from exc
    if wrappers:
        read_actions(env, name)
    return env


def read_wrapper(text: str) -> tuple[Any, PlainData]:
    """Return the class and the arguments of a wrapper's text.

    Raises ArgumentError for one that isn't a wrapper or isn't imported.
    """
    if module_of(text) == _GYMNASIUMS:
        importlib.import_module(_GYMNASIUMS)
    place, kind, arguments = read_part(text, "wrapper", "--wrap")
    if not (isinstance(kind, type) and issubclass(kind, gym.Wrapper)):
        raise ArgumentError(place, "is no gymnasium.Wrapper", got=kind)
    return kind, arguments


def read_part(text: str, kind: str, flag: str) -> tuple[str, object, PlainData]:
    """Return a text's name for errors, the object of the module (None if absent), and arguments.

    kind, flag: what it is, and what names it. Raises ArgumentError for a module not imported.
    """
    place, *arguments = _BETWEEN.split(text)
    module, _, name = place.partition(":")
    where = f"{kind} {place}"
    if module not in sys.modules:
        remedy = f"import {module} first, or name it by {flag}"
        raise ArgumentError(where, "is of no module that is imported", remedy=remedy)
    return where, getattr(sys.modules[module], name, None), read_env_args(arguments, where)
