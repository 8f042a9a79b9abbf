"""Test the baselines that are written here."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from experiments.baselines import LEARNERS, _played, learn_table, measure
from experiments.development_tasks import TASKS, ContextBandit, Task
from experiments.rl_zoo import FIGURES, SETTINGS
from experiments.stable_baselines import NAMES, Flattened


@pytest.mark.parametrize("on_policy", [False, True])
def test_a_table_learns_the_way_to_a_goal(on_policy: bool) -> None:
    made: dict[str, Any] = {"map_name": "4x4", "is_slippery": False, "max_episode_steps": 30}
    act = learn_table(gym.make("FrozenLake-v1", **made), 12_000, 1, on_policy=on_policy)
    assert act is not None
    assert _played(gym.make("FrozenLake-v1", **made), act, 3, 1) == [1.0] * 3


def test_what_is_no_number_is_not_learned() -> None:
    assert learn_table(gym.make("CartPole-v1"), 10, 1, on_policy=False) is None


class Parts(gym.Env[Any, Any]):
    """Show a state, two numbers and a text."""

    observation_space = gym.spaces.Dict(
        state=gym.spaces.Discrete(3),
        numbers=gym.spaces.Box(0.0, 1.0, (2,), np.float64),
        word=gym.spaces.Text(4),
    )
    action_space = gym.spaces.Discrete(2)


def test_parts_are_flattened_without_text() -> None:
    env = Flattened(Parts())
    shown = env.observation({"state": 1, "numbers": np.array([0.2, 0.7]), "word": "ab"})
    assert sorted(shown.tolist()) == [0.0, 0.0, 0.2, 0.7, 1.0]
    assert env.observation_space.contains(shown)


def test_settings_and_figures_are_of_tasks_of_the_suite() -> None:
    names = {task.name for task in TASKS}
    assert set(SETTINGS) == set(NAMES) <= set(LEARNERS)
    assert names >= set(FIGURES).union(*SETTINGS.values())
    assert all(
        s.arguments.keys() >= set(s.falling) for of in SETTINGS.values() for s in of.values()
    )


@pytest.mark.parametrize("name", NAMES)
def test_others_learn_a_small_task(name: str) -> None:
    package = "sb3_contrib" if name == "recurrent PPO" else "stable_baselines3"
    pytest.importorskip(package, reason=f"{package} isn't installed")
    task = Task("of a test", ContextBandit, 600, "", episodes=10)
    found = measure(task, LEARNERS[name], [0])
    assert found is not None
    assert 0.0 <= found[0] <= 1.0
    assert found == measure(task, LEARNERS[name], [0])


def test_numbers_are_not_for_dqn() -> None:
    pytest.importorskip("stable_baselines3", reason="stable-baselines3 isn't installed")
    task = Task("of a test", lambda: gym.make("Pendulum-v1"), 10, "")
    assert measure(task, LEARNERS["DQN"], [0]) is None
