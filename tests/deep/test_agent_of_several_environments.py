"""Check that one deep agent of several environments learns the same bits in both loops."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from moving_balls import balls

from neurorl import SpikingActorCritic


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("balls", {}),  # patches share weights, which the simulator has copies of
        ("balls", {"traces": ()}),
        ("CartPole-v1", {"model": "deep"}),
        ("CartPole-v1", {"model": "deep", "arithmetic": "loihi"}),
        ("CartPole-v1", {"model": "deep", "backend": "reference"}),
    ],
)
def test_both_loops_pass_on_what_is_in_force(task: str, options: dict[str, Any]) -> None:
    found = []
    for loop in (None, "numpy"):
        makers: Any = [balls if task == "balls" else lambda: gym.make(task)] * 3
        vector = gym.vector.SyncVectorEnv(makers)
        agent = SpikingActorCritic(vector, seed=3, loop=loop, **options)
        agent.learn(total_timesteps=150)
        agent.learn(total_timesteps=90)
        found.append({**agent.state(), **agent.weights})
        agent.close()
    compiled, defined = found
    assert compiled.keys() == defined.keys()
    assert [x for x in defined if compiled[x].tobytes() != defined[x].tobytes()] == []
