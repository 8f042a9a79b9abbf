"""Hold a task for each way to act: one of several, several at once, with masks, numbers."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

KINDS = ["several", "matrix", "bits", "masked", "masks", "numbers"]
SEES = Box(-1.0, 1.0, (2,), np.float32)


class Task(gym.Env[Any, Any]):
    """Show random numbers, and pay for actions that go with them; some episodes are cut off."""

    observation_space = SEES

    def __init__(self, pays: str = "several") -> None:
        self._pays = pays
        self.action_space = {
            "several": MultiDiscrete([3, 1, 4], start=[1, 0, -2]),
            "matrix": MultiDiscrete(np.array([[2, 3], [2, 2]])),
            "bits": MultiBinary((2, 1)),
            "masked": Discrete(4, start=2),
            "masks": MultiDiscrete([3, 2]),
            "numbers": Box(np.array([[0.0, -5.0]]), np.array([[2.0, 5.0]]), (1, 2), np.float64),
        }[pays]
        self.actions: list[Any] = []

    def _shown(self) -> tuple[Any, dict[str, Any]]:
        self._seen = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        if not self._pays.startswith("mask"):
            return self._seen, {}
        if self._pays == "masked":
            self._mask: Any = (self.np_random.random(4) < 0.5).astype(np.int8)
            self._mask[self.np_random.integers(4)] = 1
        else:
            self._mask = np.array([1, 0, 1], np.int8), np.array([self._seen[0] > 0, 1], np.int8)
        return self._seen, {"action_mask": self._mask}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._left = int(self.np_random.integers(3, 9))
        return self._shown()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        if self._pays == "masked":
            assert self._mask[action - 2]
        if self._pays == "masks":
            assert all(mask[a] for mask, a in zip(self._mask, action, strict=True))
        self.actions.append(np.array(action))
        self._left -= 1
        reward = float(np.sum(action) * self._seen[0])
        over = self._left == 0
        return *self._shown()[:1], reward, over and reward > 0, over and reward <= 0, self._told()

    def _told(self) -> dict[str, Any]:
        return {"action_mask": self._mask} if self._pays.startswith("mask") else {}


def make_task(**options: Any) -> Task:
    """Return a task; saved agents name this function, so it must not be a lambda."""
    return Task(**options)


for kind in KINDS:
    gym.register(f"neurorl-tests/Choosing-{kind}-v0", make_task, kwargs={"pays": kind})
