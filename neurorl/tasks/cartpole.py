"""Vary Gymnasium's CartPole: another pole, or no velocities.

Registered as neurorl/CartPole-v0, and with ``velocities=False`` as neurorl/PositionOnlyCartPole-v0.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.classic_control import CartPoleEnv

from neurorl.errors import ArgumentError
from neurorl.storage.plain import PlainData

Observation = npt.NDArray[np.float32]
_POSITIONS = [0, 2]


class CartPoleVariantEnv(CartPoleEnv):
    """Balance the pole of CartPole-v1 with another length, or without velocities.

    length: half the pole's length, m, above 0; Gymnasium has 0.5. velocities: whether the
    observation is (position, velocity, angle, angular velocity), or (position, angle) only, from
    which a policy without memory can't tell a falling pole from a rising one.
    Raises ArgumentError for a length that isn't above 0.
    """

    def __init__(
        self, length: float = 0.5, velocities: bool = True, render_mode: str | None = None
    ) -> None:
        super().__init__(render_mode=render_mode)
        if not 0 < length < np.inf:
            raise ArgumentError("length", "out of range", got=length, limit="above 0 m")
        self.length = length
        self.polemass_length = self.masspole * self.length
        self._seen = slice(None) if velocities else _POSITIONS
        if not velocities:
            high = np.array([2 * self.x_threshold, 2 * self.theta_threshold_radians], np.float32)
            self.observation_space = gym.spaces.Box(-high, high)

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[Observation, PlainData]:
        observation, info = super().reset(seed=seed, options=options)
        return observation[self._seen], info

    def step(self, action: object) -> tuple[Observation, float, bool, bool, PlainData]:
        observation, reward, terminated, truncated, info = super().step(action)  # type: ignore[no-untyped-call]
        return observation[self._seen], float(reward), terminated, truncated, info
