"""Speeds that aren't shown are told by the step before, not by sums of all positions."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

from neurorl import SpikingActorCritic
from neurorl.models.agent.past import Past
from neurorl.models.defaults.presets import make_config

STEP_BEFORE = Past(memories=(0.0,))


class Turned(gym.Env[Any, Any]):
    """Hold a body that turns upright, by torques; a sum of what is shown tells its speed at first.

    costs: what its squared speed costs beside its angle.
    """

    observation_space = Box(-1.0, 1.0, (2,))
    action_space = Box(-2.0, 2.0, (1,))

    def __init__(self, costs: float) -> None:
        self._costs = costs

    def _shown(self) -> Any:
        return np.array([np.cos(self._angle), np.sin(self._angle)], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._angle, self._speed = self.np_random.uniform(-3.0, 3.0), self.np_random.uniform(-1, 1)
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        away = (self._angle + np.pi) % (2.0 * np.pi) - np.pi
        cost = away**2 + self._costs * self._speed**2
        faster = 15.0 * np.sin(self._angle) + 3.0 * float(np.clip(action[0], -2.0, 2.0))
        self._speed = float(np.clip(self._speed + 0.05 * faster, -8.0, 8.0))
        self._angle += 0.05 * self._speed
        return self._shown(), -cost, False, False, {}


def without_speed(costs: float = 0.1, steps: int = 200) -> gym.Env[Any, Any]:
    """Return gymnasium's pendulum without its speed, or a body like it if *costs* isn't 0.1."""
    if costs != 0.1:
        return TimeLimit(Turned(costs), steps)
    space = Box(-1.0, 1.0, (2,))
    pendulum = TimeLimit(gym.make("Pendulum-v1").unwrapped, steps)
    return gym.wrappers.TransformObservation(pendulum, lambda shown: shown[:2], space)


@pytest.mark.parametrize("costs", [0.1, 0.05, 0.2])
@pytest.mark.parametrize("steps", [100, 150, 200])
def test_a_hidden_speed_that_costs_is_told_by_the_step_before(costs: float, steps: int) -> None:
    assert make_config(without_speed(costs, steps)).past == STEP_BEFORE


def test_a_pendulum_is_learned_by_its_position() -> None:
    """Sums of its positions earn -968 there."""
    agent = SpikingActorCritic(without_speed(), seed=0)
    agent.learn(total_timesteps=60_000)
    assert np.mean([episode.ret for episode in agent.episodes[-30:]]) > -600.0
