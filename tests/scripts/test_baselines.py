"""Test the baselines that are written here."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest

from experiments.baselines import _played, learn_table


@pytest.mark.parametrize("on_policy", [False, True])
def test_a_table_learns_the_way_to_a_goal(on_policy: bool) -> None:
    made: dict[str, Any] = {"map_name": "4x4", "is_slippery": False, "max_episode_steps": 30}
    act = learn_table(gym.make("FrozenLake-v1", **made), 12_000, 1, on_policy=on_policy)
    assert act is not None
    assert _played(gym.make("FrozenLake-v1", **made), act, 3, 1) == [1.0] * 3


def test_what_is_no_number_is_not_learned() -> None:
    assert learn_table(gym.make("CartPole-v1"), 10, 1, on_policy=False) is None
