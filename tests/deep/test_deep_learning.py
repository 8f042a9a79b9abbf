"""Shared hidden layers learn features that the task needs; fixed ones serve it less."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from deep_agents import Parity

from neurorl import SpikingActorCritic
from neurorl.native import toolchain

pytestmark = pytest.mark.skipif(
    toolchain.problem() is not None, reason="no C++ compiler: it would take minutes"
)


def share_right(cut: bool = False, **options: Any) -> float:
    """Return the share of right answers in the last episodes of three agents.

    cut: whether a time limit ends these.
    """
    small: dict[str, Any] = {"hidden": 12, "critic.hidden": 8, "alpha_output": 2e-3}
    found = []
    for seed in range(100, 103):
        agent = SpikingActorCritic(Parity(cut), "deep", "native", seed=seed, **{**small, **options})
        found.append(np.mean([episode.ret for episode in agent.learn(total_episodes=3000)[-500:]]))
        agent.close()
    return float(np.mean(found))


def test_hidden_layers_learn_what_fixed_ones_dont_know() -> None:
    learned, fixed = share_right(alpha_hidden=2e-3), share_right(alpha_hidden=0.0)
    assert learned > 0.93
    assert fixed < 0.83


def test_answers_that_a_time_limit_ends_are_learned() -> None:
    assert share_right(cut=True, alpha_hidden=2e-3) > 0.9


@pytest.mark.parametrize("feedback", ["own", "random", "signs", "symmetric"])
def test_each_feedback_teaches_hidden_layers(feedback: str) -> None:
    options: dict[str, Any] = {"trunk.feedback": feedback}
    assert share_right(alpha_hidden=2e-3, **options) > 0.9


def test_two_hidden_layers_learn() -> None:
    assert share_right(alpha_hidden=2e-3, hidden=(16, 12)) > 0.9


@pytest.mark.parametrize(
    "options",
    [
        {"trunk.normalisation": "pool", "trunk.centring": 0.0},
        {"trunk.step_size": "bounded", "alpha_hidden": 0.02, "alpha_output": 0.02},
    ],
)
def test_layers_with_other_parts_learn(options: dict[str, Any]) -> None:
    assert share_right(**{"alpha_hidden": 2e-3, **options}) > 0.9


def test_layers_learn_in_chip_arithmetic() -> None:
    assert share_right(alpha_hidden=2e-3, arithmetic="loihi") > 0.9


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_cartpole_is_learned(arithmetic: str) -> None:
    """Numbers enter as currents, standardised, and layers have a pool."""
    options: dict[str, Any] = {"hidden": 32, "critic.hidden": 32, "arithmetic": arithmetic}
    options |= {"alpha_hidden": 2e-3, "alpha_output": 2e-3, "critic.alpha": 2e-3}
    agent = SpikingActorCritic("CartPole-v1", "deep", "native", seed=100, **options)
    returns = [episode.ret for episode in agent.learn(total_steps=12_000)]
    assert np.mean(returns[-20:]) > 3.0 * np.mean(returns[:20])
    assert np.mean(returns[-20:]) > 100.0
    agent.close()


class Follow(gym.Env[Any, Any]):
    """Pay for the number that is seen."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.seen = self.np_random.uniform(-0.8, 0.8, 1)
        return self.seen, {}

    def step(self, action: Any) -> Any:
        return self.seen, -float(np.abs(action - self.seen).sum()), True, False, {}


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_mean_that_is_out_of_reach_comes_back(sign: float) -> None:
    """Begin where all actions are clipped alike; the way back has the same bits everywhere."""
    options: dict[str, Any] = {"hidden": 8, "critic.hidden": 8, "alpha_output": 5e-3}
    options["weight_bound"], played = 4.0, []
    for backend in ("native", "reference"):
        agent = SpikingActorCritic(Follow(), "deep", backend, seed=100, **options)
        weights = agent.get_parameters()
        weights["learner.weights.bias_output"][..., 0] = 4.0 * sign
        agent.set_parameters(weights)
        agent.learn(total_episodes=1000)
        played.append(agent.weights)
        assert abs(played[-1]["bias_output"][0, 0]) < 3.0
        agent.close()
    assert all(np.array_equal(played[0][name], played[1][name]) for name in played[0])


def test_numbers_are_learned() -> None:
    """Choose the number that is seen; the mean follows it, and the width shrinks."""
    options: dict[str, Any] = {"hidden": 16, "critic.hidden": 8}
    options |= {"alpha_hidden": 1e-3, "alpha_output": 1e-3, "critic.alpha": 1e-3}
    agent = SpikingActorCritic(Follow(), "deep", "native", seed=100, **options)
    returns = [episode.ret for episode in agent.learn(total_episodes=4000)]
    assert np.mean(returns[-300:]) > 0.5 * np.mean(returns[:300])
    played = [float(agent.predict(np.array([x]))[0]) for x in (-0.7, 0.0, 0.7)]
    assert played[0] < -0.3 < 0.3 < played[2]
    agent.close()
