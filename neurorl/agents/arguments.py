"""Check arguments of agents by kind, before anything is built or written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from neurorl.errors import ArgumentError, quoted
from neurorl.models.agent.hints import refuse_policy
from neurorl.tasks.actions import read_actions
from neurorl.tasks.environments import make_env
from neurorl.tasks.kinds import Environment, Maker, VectorEnvironment
from neurorl.tasks.specification import made_by


def own_env(env: object) -> tuple[Environment, str]:
    """Return the environment of an agent's *env* argument, and its id.

    Raises ArgumentError unless it is an id, a Gymnasium environment, or a function or class that
    makes one; and errors of `make_env`.
    """
    if isinstance(env, str):
        refuse_policy(env)
        return make_env(env), env
    if makes_env(env):
        env = made_by(env)
    if isinstance(env, gym.vector.VectorEnv):
        what = "is a vector environment, and here one is played"
        remedy = "one of its environments"
        raise ArgumentError("env", what, got=type(env).__name__, remedy=remedy)
    if not isinstance(env, gym.Env):
        remedy = "an object or subclass of gymnasium.Env, a function, or an id: 'CartPole-v1'"
        got = f"the class {env.__name__}" if isinstance(env, type) else type(env).__name__
        raise ArgumentError("env", "is no Gymnasium environment", got=got, remedy=remedy)
    name = env.spec.id if env.spec is not None else ""
    read_actions(env, name or type(env.unwrapped).__name__)
    return env, name


def makes_env(env: object) -> TypeGuard[Maker]:
    """Return whether *env* is a function or class that makes an environment, and none itself."""
    if isinstance(env, type):
        return issubclass(env, gym.Env)
    return callable(env) and not isinstance(env, (gym.Env, gym.vector.VectorEnv))


def one_of(env: VectorEnvironment) -> Environment:
    """Make one environment like those of a vector. Raises ArgumentError if it doesn't say how."""
    makers, spec = getattr(env.unwrapped, "env_fns", None), env.spec
    try:
        if makers:
            made: Environment = makers[0]()
            return made
        if isinstance(spec, EnvSpec):
            left_out = ("num_envs", "vectorization_mode")
            options = {key: v for key, v in spec.kwargs.items() if key not in left_out}
            return gym.make(spec.id, **options)
    except Exception as exc:  # foreign code may raise anything
        what, remedy = "one of its environments can't be made", "environments=N of an id"
        raise ArgumentError("env, vector environment", what, got=exc, remedy=remedy) from exc
    what, remedy = "doesn't say what one of its environments is", "environments=N of an id"
    raise ArgumentError("env, vector environment", what, got=quoted(spec), remedy=remedy)


def check_kind(where: str, value: object, kind: type, optional: bool = True) -> None:
    """Raise ArgumentError unless *value* is of this *kind*, or None where that is *optional*."""
    if not (isinstance(value, kind) or (optional and value is None)):
        got, limit = type(value).__name__, f"a {kind.__name__}"
        raise ArgumentError(where, "is of another kind", got=got, limit=limit)


def check_names(**names: object) -> None:
    """Raise ArgumentError unless each argument is a text or None."""
    for where, name in names.items():
        check_kind(where, name, str)


def path_of(path: object, where: str = "path") -> Path:
    """Return a path given as a path or as text. Raises ArgumentError."""
    if not isinstance(path, (str, os.PathLike)) or not str(path) or "\0" in str(path):
        raise ArgumentError(where, "is no path", got=repr(path)[:60])
    return Path(path)


def check_options(where: str, value: object) -> None:
    """Raise ArgumentError unless *value* is None or a mapping from names."""
    check_kind(where, value, Mapping)
    if isinstance(value, Mapping) and not all(isinstance(key, str) for key in value):
        raise ArgumentError(where, "has a key that is no name", got=list(value)[:3])


def check_callable(where: str, value: object) -> None:
    """Raise ArgumentError unless *value* can be called, or is None."""
    if not (value is None or callable(value)):
        raise ArgumentError(where, "is no function", got=type(value).__name__)
