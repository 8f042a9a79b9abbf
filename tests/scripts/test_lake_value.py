"""Values of policies of FrozenLake-v1 are those of the environment."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from experiments.lake_value import main, measure, value

BEST = (0, 3, 3, 3, 0, 0, 0, 0, 3, 1, 0, 0, 0, 2, 1, 0)


def test_values_of_policies_that_are_known() -> None:
    env = gym.make("FrozenLake-v1")
    assert value(env, np.eye(4)[list(BEST)]) == pytest.approx(0.7402, abs=1e-4)
    assert value(env, np.eye(4)[[0] * 16]) == 0.0  # it never leaves the left side
    assert value(env, np.full((16, 4), 0.25)) == pytest.approx(0.0139, abs=1e-3)
    still = gym.make("FrozenLake-v1", is_slippery=False)
    assert value(still, np.eye(4)[[1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 2, 2, 0]]) == 1.0


def test_a_value_is_what_episodes_come_to() -> None:
    env = gym.make("FrozenLake-v1")
    returns = []
    for seed in range(400):
        state, over, total = int(env.reset(seed=seed)[0]), False, 0.0
        while not over:
            state, reward, terminated, truncated, _ = env.step(BEST[state])
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    assert abs(np.mean(returns) - 0.7402) < 4 * 0.44 / 20


@pytest.mark.filterwarnings("ignore::neurorl.errors.PopulationWarning")
def test_agents_are_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1", "--steps", "200", "--set", "exploration=0.05"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("100 ")
    assert lines[1].startswith("mean ")
    policy = measure(gym.make("FrozenLake-v1"), 1, 50, {})
    assert policy.shape == (16, 4)
    assert np.allclose(policy.sum(axis=1), 1.0)
