"""Limit what a stranger's description of an environment may ask for, before making it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium as gym

from neurorl.errors import RunError
from neurorl.tasks.kinds import Environment

__all__ = [
    "MAX_ARGUMENTS",
    "MAX_NUMBER",
    "MAX_OBSERVATION",
    "MAX_WRAPPERS",
    "check_bounds",
    "check_observation",
    "enlarged",
]

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
_TRUST_IT = "trust_env=True (--trust-env) if you know the file"


def check_bounds(spec: Mapping[str, Any], where: str, remedy: str = _TRUST_IT) -> None:
    """Raise RunError for a description, as in a file, that asks for more than the limits above.

    Raises KeyError or TypeError if it is malformed.
    """
    wrappers: Sequence[Mapping[str, Any]] = spec["additional_wrappers"]
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


def enlarged(spec: Mapping[str, Any]) -> int:
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


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
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
