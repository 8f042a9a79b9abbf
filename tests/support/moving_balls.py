"""Make games of a ball that goes one way, which a single image doesn't show."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit


class Balls(gym.Env[Any, Any]):
    """Pay for saying which way a ball goes, beside another one that goes anywhere.

    shows: also where the ball was in the step before. drawn: whether its moves are drawn.
    """

    def __init__(self, size: tuple[int, int] = (8, 8), shows: bool = False, drawn: bool = False):
        self._size, self._shows, self._drawn = size, shows, drawn
        self.observation_space = Box(0, 255, (*size, 2 + shows), np.uint8)
        self.action_space = Discrete(2)

    def _shown(self) -> Any:
        image = np.zeros(self.observation_space.shape or (), np.uint8)
        image[self._row, self._at, 0] = image[(*self._other, 1)] = 255
        if self._shows:
            image[self._row, self._was, 2] = 255
        return image

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._row, self._at = (int(self.np_random.integers(n)) for n in self._size)
        self._was, self._way = self._at, 1
        self._other = self.np_random.integers(self._size)
        self._turn()
        return self._shown(), {}

    def _turn(self) -> None:
        """Go back at a wall, or anywhere."""
        if self._drawn or self.np_random.random() < 0.05:
            self._way = int(self.np_random.choice((-1, 1)))
        if not 0 <= self._at + self._way < self._size[1]:
            self._way = -self._way

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        right = (self._way > 0) == bool(action)
        self._was, self._at = self._at, self._at + self._way
        self._other = np.clip(
            self._other + self.np_random.integers(-1, 2, 2), 0, np.array(self._size) - 1
        )
        self._turn()
        return self._shown(), 1.0 if right else -1.0, False, False, {}


class Walk(Balls):
    """Let actions move the ball, which walls stop."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._at = int(np.clip(self._at + (1 if action else -1), 0, self._size[1] - 1))
        self._other = np.clip(
            self._other + self.np_random.integers(-1, 2, 2), 0, np.array(self._size) - 1
        )
        return self._shown(), float(self._at == self._other[1]), False, False, {}


gym.register("tests/Balls-v0", Balls, max_episode_steps=30)  # type: ignore[arg-type]


def balls(*args: Any, **options: Any) -> gym.Env[Any, Any]:
    return TimeLimit(Balls(*args, **options), 30)
