"""An agent that has learned nothing takes all actions about equally often."""

from __future__ import annotations

import gymnasium as gym
import pytest

from experiments.development_tasks import TASKS, Task
from experiments.even_policies import Evenness, main, measure

BY_NAME = {task.name: task for task in TASKS}


@pytest.mark.parametrize("name", ["FrozenLake-v1, slippery", "MountainCar", "context bandit"])
def test_it_is_even_at_first(name: str) -> None:
    found = measure(BY_NAME[name], 100, 500)
    assert found is not None
    assert found.is_even


def test_of_masked_actions_those_that_are_allowed_count() -> None:
    found = measure(BY_NAME["Taxi-v4"], 100, 300)
    assert found is not None
    assert found.is_even  # though some are allowed in few states only


def test_what_is_uneven_is_told() -> None:
    assert not Evenness(0.4, 1.5, 2.0).is_even
    assert not Evenness(0.6, 2.1, 2.0).is_even
    assert Evenness(0.5, 2.0, 2.0).is_even


def test_numbers_have_no_counts() -> None:
    assert measure(Task("of a test", lambda: gym.make("Pendulum-v1"), 1, ""), 0) is None


def test_a_line_for_each_seed(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--tasks", "bandit", "--seeds", "100", "101", "--decisions", "200"]
    assert main(chosen) == 0
    assert capsys.readouterr().out.count("| bandit |") == 2
