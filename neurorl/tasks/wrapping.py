"""Wrap environments in what the user names: ``module:Wrapper``, with arguments or without.

``gymnasium.wrappers:TimeLimit,max_episode_steps=50`` has an argument, whose value is JSON or else
text. A module must be imported already, or be Gymnasium's.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.tasks.actions import read_actions
from neurorl.tasks.arguments import read_env_args
from neurorl.tasks.environments import first_line
from neurorl.tasks.kinds import Environment

__all__ = ["check_wrappers", "module_of", "read_wrapper", "wrapped"]

_BETWEEN = re.compile(r",(?=[^\W\d]\w*=)")
_GYMNASIUMS = "gymnasium.wrappers"


def module_of(text: str) -> str:
    """Return the module that a wrapper's text names."""
    return text.partition(":")[0]


def check_wrappers(wrappers: object) -> tuple[str, ...]:
    """Return the texts of wrappers. Raises ArgumentError for anything else."""
    if not isinstance(wrappers, (list, tuple)):
        raise ArgumentError("wrappers", "are of another kind", got=type(wrappers).__name__)
    for text in wrappers:
        name = _BETWEEN.split(text)[0] if isinstance(text, str) else ""
        if not re.fullmatch(r"[\w.]+:\w+", name):
            limit = "MODULE:WRAPPER or MODULE:WRAPPER,K=V"
            raise ArgumentError("wrapper", "isn't named", got=repr(text)[:80], limit=limit)
        read_env_args(_BETWEEN.split(text)[1:])
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


def read_wrapper(text: str) -> tuple[Any, dict[str, Any]]:
    """Return the class and the arguments of a wrapper's text.

    Raises ArgumentError for one that isn't a wrapper or isn't imported.
    """
    place, *arguments = _BETWEEN.split(text)
    return _class_of(place), read_env_args(arguments)


def _class_of(place: str) -> Any:
    module, _, name = place.partition(":")
    if module == _GYMNASIUMS:
        importlib.import_module(module)
    if module not in sys.modules:
        remedy = f"import {module} first, or name it by --wrap"
        raise ArgumentError(f"wrapper {place}", "is of no module that is imported", remedy=remedy)
    kind = getattr(sys.modules[module], name, None)
    if not (isinstance(kind, type) and issubclass(kind, gym.Wrapper)):
        raise ArgumentError(f"wrapper {place}", "is no gymnasium.Wrapper", got=kind)
    return kind
