"""Call environments: report their exceptions as theirs, and check what they answer and show.

The check of an observation of the space's own type and shape takes a fraction of a microsecond; one
that means the same in another type (a list, a tensor, an array with dimensions of 1) is converted.
"""

from __future__ import annotations

import math
import numbers
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from neurorl.errors import (
    ArgumentError,
    EnvError,
    EnvironmentWarning,
    NeurorlError,
    format_message,
    quoted,
    warn_of,
)
from neurorl.numerics.arrays import Array
from neurorl.tasks.actions import MASK
from neurorl.tasks.environments import first_line
from neurorl.tasks.kinds import Environment, Shown, Space, parts_of

Read = Callable[[Any], Any]
METHOD = "action_masks"


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
        return partial(_discrete, int(space.start), int(space.start + space.n))
    if isinstance(space, spaces.Box):
        return partial(_box, space.shape, np.dtype(space.dtype))
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
        return partial(_whole_numbers, space)
    if isinstance(space, spaces.Tuple):
        return partial(_tuple, [observation_reader(part) for part in space.spaces])
    if isinstance(space, spaces.Dict):
        return partial(_dict, {key: observation_reader(part) for key, part in space.spaces.items()})
    return lambda observation: observation


def _discrete(first: int, end: int, observation: Shown) -> Shown:
    if type(observation) is int and first <= observation < end:
        return observation
    number = _numbers(observation, ())[()]
    if number != np.floor(number) or not first <= number < end:
        limit = f"whole numbers from {first} to {end - 1}"
        raise UnfitError("the observation is no state", quoted(observation), limit, True)
    return int(number)


def _box(shape: tuple[int, ...], dtype: npt.DTypeLike, observation: Shown) -> Shown:
    # NumPy has one object of each plain dtype; if not, the longer way gives the same.
    is_plain = type(observation) is np.ndarray and observation.dtype is dtype
    return observation if is_plain and observation.shape == shape else _numbers(observation, shape)


def _whole_numbers(space: spaces.MultiDiscrete | spaces.MultiBinary, observation: Shown) -> Shown:
    numbers = _numbers(observation, space.shape)
    is_whole = (numbers == np.floor(numbers)).all()
    if not (is_whole and space.contains(numbers.astype(space.dtype))):
        raise UnfitError("the observation is not of its space", quoted(observation), space)
    return numbers


def _tuple(parts: Sequence[Read], observation: Shown) -> Shown:
    if not isinstance(observation, (tuple, list)) or len(observation) != len(parts):
        raise UnfitError("the observation is another tuple", quoted(observation), len(parts))
    return tuple(part(value) for part, value in zip(parts, observation, strict=True))


def _dict(parts: Mapping[str, Read], observation: Shown) -> Shown:
    if not isinstance(observation, Mapping) or not parts.keys() <= observation.keys():
        raise UnfitError("the observation is another dict", quoted(observation), list(parts))
    return {key: part(observation[key]) for key, part in parts.items()}


def _numbers(observation: Shown, shape: tuple[int, ...]) -> Array:
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


def each_observation(space: Space, observations: Shown) -> list[Shown]:
    """Return the observations of a batch one by one.

    space: of one observation. observations: from a vector of environments, ``(n, ...)``; in Dict
    and Tuple spaces each part is ``(n, ...)``. Raises UnfitError if they are no batch.
    """
    try:
        n = len(_first_part(space, observations)[1])
        return list(iterate(batch_space(space, n), observations)) if n else []
    except Exception as exc:  # foreign objects may raise anything
        what, limit = "is no batch of observations", f"several of {space}"
        raise UnfitError(what, quoted(observations), limit) from exc


def each_mask(masks: Any, n: int, groups: int) -> list[Shown]:
    """Return the masks of *n* observations one by one, None for each if *masks* is None.

    masks: ``(n, n_actions)``, or a tuple with an array ``(n, size)`` for each of several *groups*.
    Raises ArgumentError if there aren't *n*.
    """
    if masks is None:
        return [None] * n
    try:
        if isinstance(masks, tuple) and groups > 1:
            each: list[Shown] = list(zip(*masks, strict=True))
        else:
            each = list(masks)
    except (TypeError, ValueError):
        each = []
    if len(each) != n:
        what, limit = "is not a mask for each observation", f"{n} masks"
        raise ArgumentError("action_masks", what, got=quoted(masks), limit=limit)
    return each


def is_several(space: Space, observations: Shown, or_one: bool) -> bool:
    """Return whether *observations* have one dimension more than those of *space*.

    or_one: whether a batch may have one only; if not, what can be read as one observation is one.
    """
    try:
        part, shown = _first_part(space, observations)
        has_more = part.shape is not None and np.ndim(shown) == len(part.shape) + 1
    except Exception:  # foreign objects may raise anything
        return False
    if or_one or not has_more:
        return has_more
    try:
        observation_reader(space)(observations)
    except UnfitError:
        return True
    return False


def _first_part(space: Space, observations: Shown) -> tuple[Space, Shown]:
    """Return the first part of a space, and of observations in it."""
    while parts := parts_of(space):
        first = next(iter(parts))
        space, observations = parts[first], observations[first]
    return space, observations


_Answer = tuple[Any, Any, Any, Any, Any]
_STEP = "(observation, reward, terminated, truncated, info)"
_RESET = "(observation, info)"


class Answers:
    """Call an environment and check its results; wrong ones raise `EnvError`.

    Rewards are floats, flags are bools, and observations belong to the environment's space. Values
    that mean the same in another type are converted. The environment itself isn't wrapped.
    """

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._step = env.step
        space = env.observation_space
        self._read = observation_reader(space)
        box = isinstance(space, gym.spaces.Box)
        self._shape = space.shape if box else None
        self._dtype = np.dtype(space.dtype) if box else None
        self.info: Any = {}  # info of the last reset
        name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        self.where = f"environment {name}"

    def reset(self, seed: int) -> Shown:
        """Begin an episode; return the observation. Raises EnvError for another result."""
        try:
            answer = self._env.reset(seed=seed)
        except Exception as exc:
            raise raised(self.where, "reset", exc) from exc
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise self._wrong("reset", "answers otherwise", _shown(answer), _RESET)
        self.info = answer[1]
        try:
            return self._read(answer[0])
        except UnfitError as exc:
            raise unfit(f"{self.where}, reset", exc) from exc

    def step(self, action: Shown) -> _Answer:
        """Take an action; return observation, reward, terminated, truncated and info.

        Raises EnvError.
        """
        try:
            raw: Any = self._step(action)
        except Exception as exc:
            raise raised(self.where, "step", exc) from exc
        answer: _Answer = raw if type(raw) is tuple and len(raw) == 5 else self._five(raw)
        observation, reward, terminated, truncated, info = answer
        if (
            type(observation) is np.ndarray
            and observation.shape == self._shape
            and observation.dtype is self._dtype
            and type(reward) is float
            and type(terminated) is bool
            and type(truncated) is bool
        ):
            return answer  # mostly; `_read` would pass it too
        try:
            read = self._read(observation)
        except UnfitError as exc:
            raise unfit(f"{self.where}, step", exc) from exc
        if type(reward) is not float:
            reward = self._reward(reward)
        if type(terminated) is not bool:
            terminated = self._flag("terminated", terminated)
        if type(truncated) is not bool:
            truncated = self._flag("truncated", truncated)
        return read, reward, terminated, truncated, info

    def close(self) -> None:
        """Close the environment; an exception becomes a warning, as nothing is lost."""
        try:
            self._env.close()
        except Exception as exc:
            warn_of(EnvironmentWarning, self.where, "close raised", got=raised_by(exc))

    def _five(self, answer: object) -> _Answer:
        if isinstance(answer, (tuple, list)) and len(answer) == 5:
            return tuple(answer)
        of_gym = isinstance(answer, tuple) and len(answer) == 4
        what = "answers as the older gym's" if of_gym else "answers otherwise"
        raise self._wrong("step", what, _shown(answer), _STEP)

    def _reward(self, reward: object) -> float:
        if isinstance(reward, (np.ndarray, np.generic)):
            is_masked = isinstance(reward, np.ma.MaskedArray)
            if reward.size == 1 and reward.dtype.kind in "biuf" and not is_masked:
                return float(reward.item())
        elif isinstance(reward, numbers.Real):
            try:
                return float(reward)
            except OverflowError:  # of hundreds of digits
                return math.inf
        raise self._wrong("step", "the reward is no number", _shown(reward), "a float")

    def _flag(self, name: str, flag: object) -> bool:
        if isinstance(flag, (np.ndarray, np.generic)) and flag.size == 1:
            flag = flag.item()
        if isinstance(flag, int) and flag in (0, 1):
            return bool(flag)
        raise self._wrong("step", f"{name} is no bool", _shown(flag), "True or False")

    def _wrong(self, call: str, what: str, got: str, limit: str) -> EnvError:
        return EnvError(f"{self.where}, {call}", what, got=got, limit=limit)


class MaskedAnswers(Answers):
    """Call an environment whose method ``action_masks()`` says what is allowed now.

    This is the convention of sb3-contrib. The mask is added to the info that doesn't have one.
    """

    def __init__(self, env: Environment, ask: Callable[[], object]) -> None:
        super().__init__(env)
        self._ask = ask

    def reset(self, seed: int) -> Shown:
        observation = super().reset(seed)
        self.info = self._told(self.info)
        return observation

    def step(self, action: Shown) -> _Answer:
        observation, reward, terminated, truncated, info = super().step(action)
        told = info if terminated or truncated else self._told(info)
        return observation, reward, terminated, truncated, told

    def _told(self, info: object) -> Mapping[str, object]:
        told = info if isinstance(info, Mapping) else {}
        try:
            return told if MASK in told else {MASK: self._ask(), **told}
        except Exception as exc:
            raise raised(self.where, METHOD, exc) from exc


def mask_method(env: Environment) -> Callable[[], object] | None:
    """Return the method of *env*, or of what it wraps, that says what is allowed; None without."""
    method = env.get_wrapper_attr(METHOD) if env.has_wrapper_attr(METHOD) else None
    return method if callable(method) else None


def answers_of(env: Environment) -> Answers:
    """Return what calls *env*, with the masks of its method if it has one."""
    ask = mask_method(env)
    return Answers(env) if ask is None else MaskedAnswers(env, ask)


def unfit(where: str, exc: UnfitError) -> NeurorlError:
    """Return the error for an observation that doesn't belong to its space."""
    return (ArgumentError if exc.is_state else EnvError)(exc.say(where))


def raised(where: str, call: str, exc: Exception) -> EnvError:
    """Return the error for an exception of an environment's own code."""
    return EnvError(where, f"{call} raised", got=raised_by(exc))


def raised_by(exc: Exception) -> str:
    """Return the exception in one line, with the file and line that raised it."""
    frames = traceback.extract_tb(exc.__traceback__)
    last = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if len(frames) > 1 else ""
    return f"{first_line(exc)}{last}"


def _shown(value: object) -> str:
    kind = type(value).__name__
    if isinstance(value, (tuple, list)):
        return f"a {kind} of {len(value)}"
    text = quoted(value)
    return f"a {kind}" if text == kind else f"{text}, a {kind}"
