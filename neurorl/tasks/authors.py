"""Move carts as the public programs of arXiv:1910.06489 do, unlike Gymnasium.

Registered as neurorl/AuthorsCartPole-v0 and neurorl/AuthorsMountainCar-v0; their gridworld is
neurorl/GridWorld-v0. Source: github.com/asneha213/spiking-agent-RL, commit f961c84.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.classic_control import CartPoleEnv

from neurorl.storage.plain import PlainData
from neurorl.tasks.kinds import Environment

Observation = npt.NDArray[np.float32]


class AuthorsCartPoleEnv(CartPoleEnv):
    """Balance the pole of CartPole-v0 for 200 steps at most; too fast a pole also ends an episode.

    Too fast is an angular velocity of pi per second. The authors' programs bootstrap from the last
    state whatever ended the episode, so every end is reported as a truncation.
    """

    def step(self, action: object) -> tuple[Observation, float, bool, bool, PlainData]:
        observation, reward, fell, _, info = super().step(action)  # type: ignore[no-untyped-call]
        fast = abs(float(observation[3])) >= math.pi
        return observation, float(reward), False, bool(fell) or fast, info


class AuthorsMountainCarEnv(Environment):
    """Drive up a hill from -0.5, at rest, to 0.5; each step costs 1, and there are 5001 at most.

    Actions 0 to 2 push by -1, 0 and 1. The velocity moves the place before it is limited to 0.07,
    and the car stops at both ends. Observation: place and velocity. All ends are truncation, as in
    `AuthorsCartPoleEnv`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        low, high = np.array([-1.2, -0.07], np.float32), np.array([0.5, 0.07], np.float32)
        self.observation_space = gym.spaces.Box(low, high)
        self.action_space = gym.spaces.Discrete(3)
        self.render_mode = render_mode
        self._place, self._velocity = -0.5, 0.0

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[Observation, PlainData]:
        super().reset(seed=seed, options=options)
        self._place, self._velocity = -0.5, 0.0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, PlainData]:
        push = 0.001 * (int(action) - 1)
        velocity = self._velocity + push - 0.0025 * math.cos(3 * self._place)
        place = self._place + velocity
        if not -1.2 <= place <= 0.5:
            place, velocity = min(max(place, -1.2), 0.5), 0.0
        self._place, self._velocity = place, min(max(velocity, -0.07), 0.07)
        return self._observation(), -1.0, False, self._place >= 0.5, {}

    def _observation(self) -> Observation:
        return np.array([self._place, self._velocity], np.float32)
