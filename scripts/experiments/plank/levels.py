"""Make CartPole of four levels: Plank et al. 2025, doi:10.3390/jlpea15010005.

Registered as ``plank/Easy-v0``, ``plank/Medium-v0``, ``plank/Hard-v0`` and ``plank/Hardest-v0``;
docs/plank.md says where each of their numbers is from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs import registration
from gymnasium.envs.classic_control import CartPoleEnv

from neurorl.storage.plain import PlainData

Observation = npt.NDArray[np.float32]
MISSION = 15_000
"""Let an episode last so many steps of 20 ms, five minutes."""

START = (1.2, 0.05, 0.10475, 0.05)
"""Bound the start's position (m), velocity (m/s), angle (rad) and its velocity (rad/s)."""

PUBLISHED = (
    (-1.17261, 0.201336, -0.0686158, 0.40251),
    (0.852004, -0.00759315, 0.0180436, -0.658607),
)
"""List the states in which the authors' published runs begin; some velocities are larger there."""

GRAVITY = 9.81
"""Fall as in the authors' runs (m/s^2); Gymnasium has 9.8."""

NOTHING = 2
_POSITIONS = [0, 2]


@dataclass(frozen=True)
class Level:
    """Describe a level.

    velocities: whether observations have them. can_rest: whether there is a third action, to do
    nothing. share: of steps in which that must be done to be paid in full, None if it needn't.
    achievement: the mean score that the level asks for.
    """

    name: str
    velocities: bool
    can_rest: bool
    share: float | None
    achievement: int

    @property
    def env(self) -> str:
        """Return the id of its environment."""
        return f"plank/{self.name.capitalize()}-v0"

    def score(self, steps: int, rests: int) -> float:
        """Return what an episode of so many steps is worth, *rests* of which did nothing."""
        return float(steps) if self.share is None else min(float(steps), rests / self.share)


LEVELS = {
    level.name: level
    for level in (
        Level("easy", True, False, None, 14_250),
        Level("medium", True, True, 0.75, 12_000),
        Level("hard", False, True, None, 9_000),
        Level("hardest", False, False, None, 6_000),
    )
}


class PlankCartPoleEnv(CartPoleEnv):
    """Balance a pole at one of `LEVELS`; rewards add up to the score of the episode so far.

    Actions are 0, push to the left, 1, to the right, and if there is one, 2, do nothing. start:
    bounds of the first state, which is drawn evenly between them and their negatives. state: the
    first state of every episode, in place of a drawn one.
    """

    def __init__(
        self,
        level: str = "easy",
        start: tuple[float, ...] = START,
        state: tuple[float, ...] | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        self.level, self._start, self._fixed = LEVELS[level], np.array(start), state
        self.gravity = GRAVITY
        self.action_space: gym.Space[Any] = gym.spaces.Discrete(2 + self.level.can_rest)
        self._seen = slice(None) if self.level.velocities else _POSITIONS
        self._push, self._steps, self._rests = self.force_mag, 0, 0
        if not self.level.velocities:
            high = 2 * np.array([self.x_threshold, self.theta_threshold_radians], np.float32)
            self.observation_space = gym.spaces.Box(-high, high)

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[Observation, PlainData]:
        super().reset(seed=seed)
        drawn = self.np_random.uniform(-self._start, self._start)
        self.state = drawn if self._fixed is None else np.array(self._fixed)
        self._steps = self._rests = 0
        return np.array(self.state, dtype=np.float32)[self._seen], {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, PlainData]:
        before = self.level.score(self._steps, self._rests)
        rests = bool(action == NOTHING)
        self.force_mag = 0.0 if rests else self._push
        seen, _, fallen, truncated, info = super().step(0 if rests else action)  # type: ignore[no-untyped-call]
        self._steps, self._rests = self._steps + 1, self._rests + rests
        reward = self.level.score(self._steps, self._rests) - before
        return seen[self._seen], reward, fallen, truncated, info


def register() -> None:
    """Register the levels with Gymnasium; may be called again."""
    for level in LEVELS.values():
        if level.env not in registration.registry:
            registration.register(
                level.env,
                "experiments.plank.levels:PlankCartPoleEnv",
                max_episode_steps=MISSION,
                kwargs={"level": level.name},
            )


register()
