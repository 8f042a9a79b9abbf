"""Values of policies of FrozenLake-v1 are those of the environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from experiments import exact_values
from experiments.development_tasks import TASKS
from experiments.exact_values import Chain, greedy_policy, main
from neurorl import SpikingActorCritic

BEST = (0, 3, 3, 3, 0, 0, 0, 0, 3, 1, 0, 0, 0, 2, 1, 0)


def chain_of(**arguments: Any) -> Chain:
    chain = Chain.of(gym.make("FrozenLake-v1", **arguments))
    assert chain is not None
    return chain


def test_values_of_policies_that_are_known() -> None:
    chain = chain_of()
    assert chain.worth(np.eye(4)[list(BEST)]) == pytest.approx(0.7402, abs=1e-4)
    assert chain.worth(np.eye(4)[[0] * 16]) == 0.0  # it never leaves the left side
    assert chain.worth(np.full((16, 4), 0.25)) == pytest.approx(0.0139, abs=1e-3)
    assert chain.worth() >= chain.worth(np.eye(4)[list(BEST)])
    still = chain_of(is_slippery=False)
    assert still.worth(np.eye(4)[[1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 2, 2, 0]]) == 1.0
    assert still.worth() == 1.0


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


def test_other_environments_have_no_chain() -> None:
    assert Chain.of(gym.make("CartPole-v1")) is None
    assert Chain.of(gym.make("CliffWalking-v1")) is None  # without a limit


@pytest.mark.filterwarnings("ignore::neurorl.errors.PopulationWarning")
def test_agents_are_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    short = [replace(task, steps=200) for task in TASKS if task.name == "FrozenLake-v1"]
    monkeypatch.setattr(exact_values, "TASKS", short)
    out = tmp_path / "values.csv"
    assert main(["--seeds", "3", "--set", "policy.exploration=0.05", "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| FrozenLake-v1 | 200 | ")
    header, row = out.read_text().splitlines()
    assert (header, row.rsplit(",", 1)[1]) == ("task,steps,seed,return,best", "1.0")
    agent = SpikingActorCritic("FrozenLake-v1", seed=1, backend="reference")
    policy = greedy_policy(agent, chain_of())
    assert policy.shape == (16, 4)
    assert np.allclose(policy.sum(axis=1), 1.0)
