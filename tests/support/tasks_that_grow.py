"""Be tasks of which random play shows too little: what learning meets later is otherwise."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

Env = gym.Env[Any, Any]


class _Told(Env):
    """Be a task of numbers, two actions and a length; `moved` returns the reward of an action."""

    action_space = Discrete(2)
    length = 100

    def __init__(self) -> None:
        self.observation_space = Box(-np.inf, np.inf, self.begun().shape)

    def begun(self) -> Any:
        raise NotImplementedError

    def moved(self, action: int) -> float:
        raise NotImplementedError

    def shown(self) -> Any:
        return self.now

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.now = 0, self.begun()
        return self.shown().astype(np.float32), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        reward = float(self.moved(int(action)))
        return self.shown().astype(np.float32), reward, False, self.t >= self.length, {}


class Drift(_Told):
    """Show on which side a target is, by a sensor whose offset grows as long as it is used."""

    length = 20
    _used = 0

    def begun(self) -> Any:
        return self.np_random.uniform(-1, 1, 1)

    def shown(self) -> Any:
        return self.now + self._used / 4000

    def moved(self, action: int) -> float:
        self._used += 1
        good = action == int(self.now[0] > 0)
        self.now = self.np_random.uniform(-1, 1, 1)
        return good


class Door(_Told):
    """Pay a little for the side that a number tells, and more behind a door, for another number.

    The door opens after ten good actions in a row, and behind it the first number says nothing.
    """

    length = 60

    def begun(self) -> Any:
        self._row = 0
        return np.array([self.np_random.uniform(-1, 1), 0.0])

    def moved(self, action: int) -> float:
        inside = self._row >= 12
        good = action == int(self.now[int(inside)] > 0)
        self._row = self._row + 1 if good or inside else 0
        now = self.np_random.uniform(-1, 1, 2)
        self.now = now if self._row >= 12 else np.array([now[0], 0.0])
        return good * (1.0 if inside else 0.1)


class Cue(Env):
    """Show a cue first, then a ring of rooms; who gets through is asked for the cue."""

    observation_space = Discrete(12)
    action_space = Discrete(3)
    length = 30

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.room, self.cue = 0, 0, int(self.np_random.integers(3))
        return self.cue, {}

    def step(self, action: Any) -> Any:
        self.t += 1
        if self.room == 6:
            return 11, float(action == self.cue), True, False, {}
        self.room = self.room + 1 if action == self.room % 3 else max(self.room - 1, 0)
        return 3 + self.room, 0.0, False, self.t >= self.length, {}


class CueInTwo(gym.ObservationWrapper[Any, Any, Any]):
    """Be a `Cue` whose observations are two numbers, which tell as much."""

    def __init__(self) -> None:
        super().__init__(Cue())
        self.observation_space = MultiDiscrete([3, 4])

    def observation(self, observation: Any) -> Any:
        return np.array(divmod(int(observation), 4))


class Far(Env):
    """Pay in the last room, where random play hardly ever gets, as each needs its own action."""

    action_space = Discrete(3)
    length = 60

    def __init__(self, size: float = 1.0, rooms: int = 11, boxed: bool = False) -> None:
        self._size, self._rooms, self._boxed = size, rooms, boxed
        self.observation_space = Box(-1, rooms, (1,)) if boxed else Discrete(rooms)

    def _shown(self) -> Any:
        near = self.room + self.np_random.uniform(-0.3, 0.3)
        return np.array([near], np.float32) if self._boxed else self.room

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t = self.room = 0
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        self.room = max(0, self.room + (1 if action == self.room % 3 else -1))
        found = self.room == self._rooms - 1
        return self._shown(), self._size * found, found, self.t >= self.length, {}


class FewDoor(Door):
    """Be a `Door` whose numbers take seven values."""

    def shown(self) -> Any:
        return np.round(3 * self.now)
