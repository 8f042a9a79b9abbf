"""Limit what a stranger's description of an environment may ask for, before making it."""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, WrapperSpec

from neurorl.errors import RunError
from neurorl.storage.plain import Named
from neurorl.tasks.arguments import decode, module_of, read_wrapper
from neurorl.tasks.environments import first_line, make_env
from neurorl.tasks.kinds import Environment
from neurorl.tasks.specification import PROBLEM, describe_env, entry_point_name, is_same_env

MAX_WRAPPERS = 32
"""Limit the wrappers around an environment."""
MAX_ARGUMENTS = 2**18
"""Limit the numbers and letters in all arguments of an environment and its wrappers."""
MAX_NUMBER = 2**20
"""Limit whole numbers among the arguments, except `_COUNTS`."""
MAX_OBSERVATION = 2**22
"""Limit the numbers of an observation made by wrappers, like an agent's features."""

_COUNTS = ("seed", "max_episode_steps")  # large values take no memory
_SIZES = ("stack_size", "shape", "screen_size", "bins")  # observations grow by these
_GIVE_IT = "pass env= (on the command line --env ENV_ID)"
_TRUST_IT = "trust_env=True (--trust-env) if you know the file"
_IMPORTING = ("GymV21Environment-v0", "GymV26Environment-v0")  # import what an argument names


def check_bounds(spec: Named, where: str, remedy: str = _TRUST_IT) -> None:
    """Raise RunError for a description, as in a file, that asks for more than the limits above.

    Raises KeyError or TypeError if it is malformed.
    """
    wrappers: Sequence[Named] = spec["additional_wrappers"]
    if len(wrappers) > MAX_WRAPPERS:
        raise _too_much(where, "has too many wrappers", len(wrappers), MAX_WRAPPERS, remedy)
    total = 0
    for name, value in _leaves([spec["kwargs"], [w["kwargs"] for w in wrappers]]):
        total += len(value) if isinstance(value, str) else 1
        is_whole = isinstance(value, int) and name not in _COUNTS
        if is_whole and abs(value) > MAX_NUMBER:
            what = f"has too large an argument {name!r}"[:80]
            raise _too_much(where, what, f"{value:.3g}", MAX_NUMBER, remedy)
    if total > MAX_ARGUMENTS:
        what = "has too many numbers and letters in its arguments"
        raise _too_much(where, what, total, MAX_ARGUMENTS, remedy)


def enlarged(spec: Named) -> int:
    """Return by how much wrappers may make observations larger: the product of their sizes."""
    wrappers = [w["kwargs"] for w in spec["additional_wrappers"]]
    sizes = (n for name, n in _leaves(wrappers) if name in _SIZES and isinstance(n, int))
    return math.prod(max(1, abs(n)) for n in sizes)


def check_observation(env: Environment, factor: int, where: str, remedy: str = _TRUST_IT) -> None:
    """Raise RunError if observations *factor* times those of *env* would be too large."""
    try:
        size = int(gym.spaces.flatdim(env.observation_space))
    except (NotImplementedError, ValueError):  # a space without a size, which no agent takes
        return
    if size * factor > MAX_OBSERVATION:
        what = "has wrappers that make too large an observation"
        got = f"up to {size * factor:.3g} numbers"
        raise _too_much(where, what, got, MAX_OBSERVATION, remedy)


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers and texts of arguments, each with its key."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield "", key
            yield from _leaves(part, name if key == "of" else key)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part, name)
    else:
        yield name, value


def _too_much(where: str, what: str, got: object, limit: object, remedy: str) -> RunError:
    return RunError(where, f"its environment: {what}", got=got, limit=limit, remedy=remedy)


def saved_env(described: Named, where: str, trust: bool = False) -> Environment:
    """Make the environment of a saved agent.

    described: the id under ``env`` and the result of `describe_env` under ``env_spec``; agents
    saved by older versions have the id only. where: beginning of errors. trust: whether the user
    allows to import, and to write to, what the file names.
    Raises RunError if the environment can't be made, or only with such trust.
    """
    name, spec = described.get("env"), described.get("env_spec")
    if not isinstance(name, str) or not (spec is None or isinstance(spec, Mapping)):
        raise RunError(where, "its environment is not described", remedy=_GIVE_IT)
    if spec is not None and PROBLEM in spec:
        what = "was saved without its environment"
        raise RunError(where, what, got=spec[PROBLEM], remedy=_GIVE_IT)
    if not name:
        raise RunError(where, "was saved without an environment's id", remedy=_GIVE_IT)
    module, _, env_id = name.rpartition(":")
    if env_id not in gym.registry:
        if not trust:
            what = f"its environment {env_id} is not registered here"
            place = (spec or {}).get("entry_point")
            source = module or (module_of(place) if isinstance(place, str) else "")
            first = f"import {source}" if source not in ("", "__main__") else "register it"
            remedy = f"{first} first, or {_TRUST_IT}, or {_GIVE_IT}"
            raise RunError(where, what, remedy=remedy)
        if module:
            _import(module, where)
    return make_env(name) if spec is None else _rebuilt(spec, where, trust)


def check_arguments(
    env_id: str, arguments: Named, wrappers: Sequence[str], where: str, remedy: str
) -> None:
    """Raise RunError for arguments and wrappers of a file that need the user's trust.

    Without it they may not take much memory, nor import or write to what the file names. wrappers:
    texts of `neurorl.tasks.arguments`. where, remedy: parts of the error.
    """
    read = [read_wrapper(text) for text in wrappers]
    spec = {"kwargs": arguments, "additional_wrappers": [{"kwargs": of} for _, of in read]}
    check_bounds(spec, where, remedy)
    _check_import(env_id.rpartition(":")[2], where, remedy)
    for kind, _ in read:
        _check_writes(kind, where, remedy)
    if (factor := enlarged(spec)) > 1:
        bare = make_env(env_id, arguments)
        check_observation(bare, factor, where, remedy)
        bare.close()


def _rebuilt(spec: Named, where: str, trust: bool) -> Environment:
    try:
        checked = _checked(spec, where, trust)
        if not trust and (factor := enlarged(spec)) > 1:
            bare = gym.make(dataclasses.replace(checked, additional_wrappers=()))
            check_observation(bare, factor, where)
            bare.close()
        env = gym.make(checked)
    except RunError:
        raise
    except Exception as exc:  # foreign code may raise anything
        what = "its environment can't be made here"
        raise RunError(where, what, got=first_line(exc), remedy=_GIVE_IT) from exc
    if not is_same_env(spec, describe_env(env)):
        env.close()
        what = "its environment is made otherwise here than where it was saved"
        raise RunError(where, what, got=spec.get("id"), remedy=_GIVE_IT)
    return env


def _checked(spec: Named, where: str, trust: bool) -> EnvSpec:
    """Return the `EnvSpec` of a description. Raises RunError, or anything if it is malformed."""
    if not trust:
        check_bounds(spec, where)
        _check_import(spec["id"], where, f"{_GIVE_IT}, or {_TRUST_IT}")
    env_id, place = spec["id"], spec["entry_point"]
    registered = gym.registry.get(env_id)
    if registered is not None and entry_point_name(registered.entry_point) != place:
        what = f"its environment {env_id} is another one here"
        got, limit = entry_point_name(registered.entry_point), place
        raise RunError(where, what, got=got, limit=limit, remedy=_GIVE_IT)
    if registered is None and not (trust and isinstance(place, str)):
        what = f"its environment {env_id} is not registered here"
        raise RunError(where, what, remedy=_GIVE_IT)
    wrappers = tuple(_wrapper(w, where, trust) for w in spec["additional_wrappers"])
    limit = spec["max_episode_steps"]
    return EnvSpec(
        env_id,
        entry_point=registered.entry_point if registered is not None else place,
        reward_threshold=decode(spec["reward_threshold"]),
        nondeterministic=bool(spec["nondeterministic"]),
        max_episode_steps=None if limit is None else int(limit),
        order_enforce=bool(spec["order_enforce"]),
        disable_env_checker=bool(spec["disable_env_checker"]),
        kwargs=decode(spec["kwargs"]),
        additional_wrappers=wrappers,
        vector_entry_point=registered.vector_entry_point if registered is not None else None,
    )


def _wrapper(described: Named, where: str, trust: bool) -> WrapperSpec:
    place = described["entry_point"]
    module, _, name = place.partition(":")
    is_gymnasiums = f"{module}.".startswith("gymnasium.wrappers.")
    if not (is_gymnasiums or module in sys.modules or trust):
        what = f"a wrapper of its environment, {place}, is not imported here"
        remedy = f"import {module} first, or {_TRUST_IT}, or {_GIVE_IT}"
        raise RunError(where, what, remedy=remedy)
    cls = getattr(_import(module, where), name, None)
    if not (isinstance(cls, type) and issubclass(cls, gym.Wrapper)):
        raise RunError(where, "names a wrapper that is none", got=place, remedy=_GIVE_IT)
    if not trust:
        _check_writes(cls, where, f"{_GIVE_IT}, or {_TRUST_IT}")
    return WrapperSpec(str(described["name"]), place, decode(described["kwargs"]))


def _check_import(env_id: str, where: str, remedy: str) -> None:
    if env_id in _IMPORTING:
        what = f"its environment {env_id} imports what the file names"
        raise RunError(where, what, remedy=remedy)


def _check_writes(wrapper: type, where: str, remedy: str) -> None:
    if issubclass(wrapper, gym.wrappers.RecordVideo):
        what = f"a wrapper of its environment, {wrapper.__name__}, writes files where the file says"
        raise RunError(where, what, remedy=remedy)


def _import(module: str, where: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as exc:  # foreign code may raise anything
        what = f"{module} can't be imported"
        raise RunError(where, what, got=first_line(exc), remedy=_GIVE_IT) from exc
