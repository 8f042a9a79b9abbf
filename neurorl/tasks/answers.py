"""Call environments: report their exceptions as theirs, and check their results."""

from __future__ import annotations

import numbers
import traceback
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.errors import (
    ArgumentError,
    EnvError,
    EnvironmentWarning,
    NeurorlError,
    format_message,
    quoted,
    warn_outside,
)
from neurorl.tasks.environments import first_line
from neurorl.tasks.kinds import Environment
from neurorl.tasks.observations import UnfitError, observation_reader

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

    def reset(self, seed: int) -> Any:
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

    def step(self, action: Any) -> _Answer:
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
            message = format_message(self.where, "close raised", got=_raised_by(exc))
            warn_outside(message, EnvironmentWarning)

    def _five(self, answer: Any) -> _Answer:
        if isinstance(answer, (tuple, list)) and len(answer) == 5:
            return tuple(answer)
        of_gym = isinstance(answer, tuple) and len(answer) == 4
        what = "answers as the older gym's" if of_gym else "answers otherwise"
        raise self._wrong("step", what, _shown(answer), _STEP)

    def _reward(self, reward: Any) -> float:
        if isinstance(reward, (np.ndarray, np.generic)):
            if reward.size == 1 and reward.dtype.kind in "biuf":
                return float(reward.item())
        elif isinstance(reward, numbers.Real):
            return float(reward)
        raise self._wrong("step", "the reward is no number", _shown(reward), "a float")

    def _flag(self, name: str, flag: Any) -> bool:
        if isinstance(flag, (np.ndarray, np.generic)) and flag.size == 1:
            flag = flag.item()
        if isinstance(flag, int) and flag in (0, 1):
            return bool(flag)
        raise self._wrong("step", f"{name} is no bool", _shown(flag), "True or False")

    def _wrong(self, call: str, what: str, got: str, limit: str) -> EnvError:
        return EnvError(f"{self.where}, {call}", what, got=got, limit=limit)


def unfit(where: str, exc: UnfitError) -> NeurorlError:
    """Return the error for an observation that doesn't belong to its space."""
    return (ArgumentError if exc.is_state else EnvError)(exc.say(where))


def raised(where: str, call: str, exc: Exception) -> EnvError:
    """Return the error for an exception of an environment's own code."""
    return EnvError(where, f"{call} raised", got=_raised_by(exc))


def _raised_by(exc: Exception) -> str:
    """Return the exception in one line, with the file and line that raised it."""
    frames = traceback.extract_tb(exc.__traceback__)
    last = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if len(frames) > 1 else ""
    return f"{first_line(exc)}{last}"


def _shown(value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, (tuple, list)):
        return f"a {kind} of {len(value)}"
    text = quoted(value)
    return f"a {kind}" if text == kind else f"{text}, a {kind}"
