"""Show noise of any space, as tests of what agents make of spaces need it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.spaces import Discrete


class Shows(gym.Env[Any, Any]):
    """Show noise of a space."""

    def __init__(self, space: gym.Space[Any], actions: int = 4) -> None:
        self.observation_space, self.action_space = space, Discrete(actions)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        return self.observation_space.sample(), 1.0, self.np_random.random() < 0.1, False, {}
