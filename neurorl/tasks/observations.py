"""Check observations against their observation space.

The check of an observation of the space's own type and shape takes a fraction of a microsecond; one
that means the same in another type (a list, a tensor, an array with dimensions of 1) is converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from neurorl.errors import ArgumentError, format_message, quoted
from neurorl.numerics.arrays import Array
from neurorl.tasks.kinds import Space

Read = Callable[[Any], Any]


class UnfitError(Exception):
    """Report an observation that doesn't belong to its space.

    what: what is wrong. got: what was observed. limit: what is allowed. is_state: whether it is a
    number, but no state has it.
    """

    def __init__(self, what: str, got: object, limit: object, is_state: bool = False) -> None:
        super().__init__(what, got, limit)
        self.what, self.got, self.limit, self.is_state = what, got, limit, is_state

    def say(self, where: str, remedy: str | None = None) -> str:
        """Return the line for an error."""
        return format_message(where, self.what, got=self.got, limit=self.limit, remedy=remedy)


def observation_reader(space: Space) -> Read:
    """Return a function that checks observations and returns them in the form of *space*.

    It raises UnfitError. It doesn't check that numbers are finite or inside the bounds of a Box,
    and it checks nothing of spaces other than Box, Discrete, MultiDiscrete, MultiBinary, Tuple and
    Dict.
    """
    if isinstance(space, spaces.Discrete):
        return _discrete(int(space.start), int(space.start + space.n))
    if isinstance(space, spaces.Box):
        return _box(space.shape, space.dtype)
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
        return _whole_numbers(space)
    if isinstance(space, spaces.Tuple):
        return _tuple([observation_reader(part) for part in space.spaces])
    if isinstance(space, spaces.Dict):
        return _dict({key: observation_reader(part) for key, part in space.spaces.items()})
    return lambda observation: observation


def _discrete(first: int, end: int) -> Read:
    def read(observation: Any) -> Any:
        if type(observation) is int and first <= observation < end:
            return observation
        number = _numbers(observation, ())[()]
        if number != np.floor(number) or not first <= number < end:
            limit = f"whole numbers from {first} to {end - 1}"
            raise UnfitError("the observation is no state", quoted(observation), limit, True)
        return int(number)

    return read


def _box(shape: tuple[int, ...], dtype: Any) -> Read:
    dtype, ndarray = np.dtype(dtype), np.ndarray

    def read(observation: Any) -> Any:
        # NumPy has one object of each plain dtype; if not, the longer way gives the same.
        if (
            type(observation) is ndarray
            and observation.shape == shape
            and observation.dtype is dtype
        ):
            return observation
        return _numbers(observation, shape)

    return read


def _whole_numbers(space: spaces.MultiDiscrete | spaces.MultiBinary) -> Read:
    def read(observation: Any) -> Any:
        numbers = _numbers(observation, space.shape)
        if not (numbers == np.floor(numbers)).all() or not space.contains(
            numbers.astype(space.dtype)
        ):
            raise UnfitError("the observation is not of its space", quoted(observation), space)
        return numbers

    return read


def _tuple(parts: Sequence[Read]) -> Read:
    def read(observation: Any) -> Any:
        if not isinstance(observation, (tuple, list)) or len(observation) != len(parts):
            raise UnfitError("the observation is another tuple", quoted(observation), len(parts))
        return tuple(part(value) for part, value in zip(parts, observation, strict=True))

    return read


def _dict(parts: Mapping[str, Read]) -> Read:
    def read(observation: Any) -> Any:
        if not isinstance(observation, Mapping) or not parts.keys() <= observation.keys():
            raise UnfitError("the observation is another dict", quoted(observation), list(parts))
        return {key: part(observation[key]) for key, part in parts.items()}

    return read


def _numbers(observation: Any, shape: tuple[int, ...]) -> Array:
    """Return real numbers of *shape*; dimensions of 1 don't matter."""
    try:
        numbers = np.asarray(observation)
    except Exception as exc:  # a foreign array's own, such as a tensor's on a GPU
        raise UnfitError("the observation is not numbers", quoted(observation), shape) from exc
    if numbers.dtype.kind not in "biuf":
        raise UnfitError("the observation is not numbers", quoted(observation), f"shape {shape}")
    if numbers.shape == shape:
        return numbers
    if _squeezed(numbers.shape) != _squeezed(shape):
        raise UnfitError("the observation has another shape", numbers.shape, shape)
    return numbers.reshape(shape)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def each_observation(space: Space, observations: Any) -> list[Any]:
    """Return the observations of a batch one by one.

    space: of one observation. observations: from a vector of environments, ``(n, ...)``; in Dict
    and Tuple spaces each part is ``(n, ...)``. Raises UnfitError if they are no batch.
    """
    try:
        n = _length(space, observations)
        return list(iterate(batch_space(space, n), observations)) if n else []
    except Exception as exc:  # foreign objects may raise anything
        what, limit = "is no batch of observations", f"several of {space}"
        raise UnfitError(what, quoted(observations), limit) from exc


def each_mask(masks: Any, n: int, groups: int) -> list[Any]:
    """Return the masks of *n* observations one by one, None for each if *masks* is None.

    masks: ``(n, n_actions)``, or a tuple with an array ``(n, size)`` for each of several *groups*.
    Raises ArgumentError if there aren't *n*.
    """
    if masks is None:
        return [None] * n
    try:
        if isinstance(masks, tuple) and groups > 1:
            each: list[Any] = list(zip(*masks, strict=True))
        else:
            each = list(masks)
    except (TypeError, ValueError):
        each = []
    if len(each) != n:
        what, limit = "is not a mask for each observation", f"{n} masks"
        raise ArgumentError("action_masks", what, got=quoted(masks), limit=limit)
    return each


def _length(space: Space, observations: Any) -> int:
    """Return how many observations a batch has, by their first part."""
    while isinstance(space, (spaces.Dict, spaces.Tuple)):
        first: Any = next(iter(space.spaces)) if isinstance(space, spaces.Dict) else 0
        space, observations = space[first], observations[first]
    return len(observations)
