"""Test agents that choose numbers: a bandit whose best number isn't clipped, and a swing-up."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.models.agent.gaussian_policy import Gaussian


class Lever(gym.Env[Any, Any]):
    """Pay 1 less the distance to a number that depends on the context, once an episode."""

    observation_space, action_space = Discrete(2), Box(-2.0, 2.0, (1,), np.float32)
    metadata = {"max_episode_steps": 1}  # noqa: RUF012
    best = (1.2, -0.6)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._context = int(self.np_random.integers(2))
        return self._context, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        distance = abs(float(action[0]) - self.best[self._context])
        return self._context, 1.0 - distance, True, False, {}


@pytest.mark.filterwarnings("ignore::neurorl.errors.PopulationWarning")
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_a_lever_is_learned(seed: int, arithmetic: str) -> None:
    """In each context the mean comes to within a twelfth of the range of the best number."""
    agent = SpikingActorCritic(
        Lever(),
        seed=seed,
        arithmetic=arithmetic,
        reward_scale=1.0,
        policy=Gaussian(0.5, 0.1, decisions=2000),
    )
    agent.learn(total_episodes=2000)
    for context, best in enumerate(Lever.best):
        mean = np.mean([agent.predict(context)[0] for _ in range(20)])
        assert abs(mean - best) < 1 / 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::neurorl.errors.PopulationWarning")
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_pendulum_gets_better(seed: int) -> None:
    """Random play gets -1,200 an episode, an agent that hasn't learned -1,250."""
    agent = SpikingActorCritic(
        "Pendulum-v1",
        backend="native",
        seed=seed,
    )
    agent.learn(total_steps=100_000)
    assert evaluate(agent, 30)["mean_return"] > -600
