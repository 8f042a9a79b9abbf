"""Describe an environment as plain data: its id, its arguments and its wrappers.

The description holds the fields of a `gymnasium.envs.registration.EnvSpec`, read from the actual
wrappers, so that their number and order are kept. `neurorl.tasks.loading` reads it.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Sequence

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, WrapperSpec, load_env_creator

from neurorl.errors import EnvironmentWarning, RunError, UnsupportedError, warn_of
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.arguments import NotDataError, encode
from neurorl.tasks.environments import first_line
from neurorl.tasks.kinds import Environment, Maker, layers_of
from neurorl.tasks.statistics import carry_over

PROBLEM = "problem"
"""Hold, under this key, the reason why an environment can't be described."""

_MAKER = "_neurorl_maker"  # an attribute of environments
_DECIDES = (
    *("id", "entry_point", "kwargs", "additional_wrappers"),
    *("max_episode_steps", "order_enforce", "disable_env_checker"),
)


def describe_env(env: Environment) -> PlainData:
    """Return *env* as plain data, or ``{"problem": why}`` if it can't be made again from data."""
    try:
        spec = _spec_of(env)
        return {
            "id": spec.id,
            "entry_point": entry_point_name(spec.entry_point),
            "reward_threshold": encode("reward_threshold", spec.reward_threshold),
            "nondeterministic": bool(spec.nondeterministic),
            "max_episode_steps": spec.max_episode_steps,
            "order_enforce": spec.order_enforce,
            "disable_env_checker": spec.disable_env_checker,
            "kwargs": _arguments("the environment", spec.kwargs),
            "additional_wrappers": [
                {
                    "name": wrapper.name,
                    "entry_point": wrapper.entry_point,
                    "kwargs": _arguments(f"wrapper {wrapper.name}", wrapper.kwargs or {}),
                }
                for wrapper in spec.additional_wrappers
            ],
            "vector_entry_point": None,
        }
    except NotDataError as exc:
        return {PROBLEM: str(exc)}


def is_same_env(one: Named, other: Named) -> bool:
    """Return whether two descriptions are of environments that behave alike."""
    return all(one.get(key) == other.get(key) for key in _DECIDES)


def warn_unsaved(env: Environment, described: Named) -> None:
    """Warn with `EnvironmentWarning` of parts of *env* that *described* doesn't hold."""
    where = f"environment {_name(env)}"
    if PROBLEM in described:
        what, remedy = "isn't saved with the agent", "load it with env="
        warn_of(EnvironmentWarning, where, what, got=described[PROBLEM], remedy=remedy)


def made_by(maker: Maker) -> object:
    """Return what a user's function or class makes, so that `copy_env` makes more by it.

    Raises UnsupportedError for an exception of the maker's own.
    """
    try:
        made: object = maker()
    except Exception as exc:  # foreign code may raise anything
        where = f"environment of {getattr(maker, '__name__', type(maker).__name__)}"
        what, remedy = "can't be made here", "give a class or function without arguments"
        raise UnsupportedError(where, what, got=first_line(exc), remedy=remedy) from exc
    if isinstance(made, gym.Env):
        vars(made)[_MAKER] = maker
    return made


def copy_env(env: Environment, is_quiet: bool = False) -> Environment:
    """Make a second environment like *env*; *is_quiet*: without a window or video files.

    What the user's own function made is made by it again, as it is. Raises RunError if there is no
    telling how.
    """
    if (maker := vars(env).get(_MAKER)) is not None:
        if isinstance(made := made_by(maker), gym.Env) and made is not env:
            carry_over(env, made)
            return made
        remedy = "give a function that makes another one in each call"
        raise RunError(f"environment {_name(env)}", "can't be made again", got=made, remedy=remedy)
    spec = _made_again(env)
    made = gym.make(quiet(spec) if is_quiet else spec)
    carry_over(env, made)
    return made


def _made_again(env: Environment) -> EnvSpec:
    """Return the spec that makes *env* again. Raises RunError if it isn't known how."""
    try:
        return _spec_of(env)
    except NotDataError as exc:
        remedy = "give a function that makes one, an id, or an environment made by gymnasium.make"
        where = f"environment {_name(env)}"
        raise RunError(where, "can't be made again", got=exc, remedy=remedy) from exc


def rendered_env(env: Environment) -> tuple[Environment, str | None]:
    """Make a second environment like *env* that renders; return it and its mode.

    The mode is ``rgb_array`` for images, ``ansi`` for texts, None if neither works here, for
    example because a library is missing. Raises RunError if it isn't known how to make it.
    """
    offered = env.metadata.get("render_modes") or ()
    for mode in ("rgb_array", "ansi"):
        if mode not in offered:
            continue
        spec = quiet(_made_again(env))
        try:
            shown = gym.make(spec, render_mode=mode)
            shown.reset(seed=0)
            shown.render()
        except Exception:  # any rendering library may fail
            continue
        return shown, mode
    return copy_env(env, is_quiet=True), None


def quiet(spec: EnvSpec) -> EnvSpec:
    """Return a spec that shows and records nothing."""
    video = f"{gym.wrappers.RecordVideo.__module__}:{gym.wrappers.RecordVideo.__name__}"
    kept = tuple(layer for layer in spec.additional_wrappers if layer.entry_point != video)
    shows = spec.kwargs.get("render_mode") == "human"
    kwargs = {**spec.kwargs, "render_mode": None} if shows else spec.kwargs
    return dataclasses.replace(spec, kwargs=kwargs, additional_wrappers=kept)


def _spec_of(env: Environment) -> EnvSpec:
    """Return the spec with which `gymnasium.make` makes *env* again, from the inside out.

    An `EnvSpec` has one time limit, next to the environment; a second one, or one above other
    wrappers, becomes a wrapper like any other. Environments that an entry point makes by calling
    `gymnasium.make` itself aren't described: calling the entry point makes them again. Raises
    NotDataError.
    """
    inner, *layers = reversed(layers_of(env))
    base = inner.spec
    if base is None:
        what = f"{type(inner).__name__} was made without gymnasium.make, so it has no id"
        raise NotDataError(what)
    checker, order, limit = False, False, None
    wrappers: list[WrapperSpec] = []
    own = 0  # how many of the wrappers that gymnasium.make adds by itself have been met, in order
    begin = _made_within(inner, layers)
    for layer in layers[begin:]:
        kind = type(layer)
        if kind is gym.wrappers.PassiveEnvChecker and own < 1:
            own, checker = 1, True
        elif kind is gym.wrappers.OrderEnforcing and own < 2:
            own, order = 2, True
        elif kind is gym.wrappers.TimeLimit and own < 3 and (own or not wrappers):
            own, limit = 3, _time_limit(layer)
        else:
            own = 3 if own else 0  # below the checker are the entry point's own wrappers
            wrappers.append(_wrapper_spec(layer))
    if begin and wrappers:  # if there are more, gymnasium.make compares the entry point's wrappers
        wrappers = [*_wrappers_within(layers[begin - 1]), *wrappers]
    return dataclasses.replace(
        base,
        max_episode_steps=limit,
        order_enforce=order,
        disable_env_checker=not checker,
        additional_wrappers=tuple(wrappers),
    )


def _made_within(inner: Environment, layers: Sequence[Environment]) -> int:
    """Return how many layers belong to an entry point that calls `gymnasium.make` itself.

    inner, layers: the innermost environment, and all that wrap it, from the inside out.
    """
    checked = [i for i, of in enumerate(layers) if type(of) is gym.wrappers.PassiveEnvChecker]
    if len(checked) < 2 or inner.spec is None:
        return 0
    made_by: object = inner.spec.entry_point
    if isinstance(made_by, str):
        made_by = load_env_creator(made_by)
    return 0 if made_by is type(inner) else checked[-1]


def _wrappers_within(env: Environment) -> list[WrapperSpec]:
    """Return the wrappers that an entry point added. Raises NotDataError if they aren't data."""
    specs = list(env.spec.additional_wrappers) if env.spec is not None else []
    for spec in specs:
        where = f"wrapper {spec.name} of the entry point"
        if spec.kwargs is None:
            raise NotDataError(f"{where} doesn't record its arguments")
        _arguments(where, spec.kwargs)
    return specs


def _name(env: Environment) -> str:
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def _time_limit(layer: Environment) -> int | None:
    return layer.spec.max_episode_steps if layer.spec is not None else None


def _wrapper_spec(layer: Environment) -> WrapperSpec:
    kind = type(layer)
    where = f"wrapper {kind.__name__}"
    if getattr(sys.modules.get(kind.__module__), kind.__name__, None) is not kind:
        raise NotDataError(f"{where} is defined inside of something else")
    if kind is gym.wrappers.TimeLimit:
        arguments: PlainData | None = {"max_episode_steps": _time_limit(layer)}
    else:
        last = layer.spec.additional_wrappers[-1:] if layer.spec is not None else ()
        arguments = last[0].kwargs if last else None
    if arguments is None and _takes_env_alone(kind):
        arguments = {}
    if arguments is None:
        remedy = "gymnasium.utils.RecordConstructorArgs"
        raise NotDataError(f"{where} doesn't record its arguments, as with {remedy}")
    try:
        inspect.signature(kind).bind(None, **arguments)
    except (TypeError, ValueError) as exc:
        raise NotDataError(f"{where} records other arguments than it takes") from exc
    return WrapperSpec(kind.__name__, f"{kind.__module__}:{kind.__name__}", arguments)


def _takes_env_alone(kind: type) -> bool:
    """Return whether a wrapper takes no arguments, so that there are none to record."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return False
    return len(parameters) == 1 and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


def entry_point_name(entry_point: object) -> str:
    """Return ``module:name`` of an entry point. Raises NotDataError if it has no name."""
    if isinstance(entry_point, str):
        return entry_point
    name = getattr(entry_point, "__qualname__", "<lambda>")
    if name.endswith("<lambda>"):
        raise NotDataError("its entry point is a lambda or has no name")
    return f"{entry_point.__module__}:{name}"


def _arguments(where: str, arguments: Named) -> PlainData:
    return {key: encode(f"argument {key!r} of {where}", v) for key, v in arguments.items()}
