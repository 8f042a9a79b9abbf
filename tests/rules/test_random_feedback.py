"""Test the rule random-feedback: spikes-only with signs that are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.learning.loops.base import Loop

SMALL: dict[str, Any] = {"actors": 3, "hidden": (6, 4), "window": 8}


def agent_with(rule: str, seed: int = 3, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", rule=rule, seed=seed, **{**SMALL, **options})


def loop_of(agent: SpikingActorCritic) -> Loop:
    return agent._replicas.loop


def signs(agent: SpikingActorCritic) -> dict[str, Any]:
    return {name: s.copy() for name, s in loop_of(agent).memory.signs.items()}


def test_signs_are_drawn_by_the_seed_and_stay() -> None:
    agent, again, other = (agent_with("random-feedback", seed) for seed in (3, 3, 4))
    first = signs(agent)
    agent.learn(total_episodes=3)
    for name, of_layer in signs(agent).items():
        assert set(np.unique(of_layer)) == {-1.0, 1.0}
        assert np.array_equal(of_layer, first[name])
        assert np.array_equal(of_layer, signs(again)[name])
        assert not np.array_equal(of_layer, signs(other)[name])
    assert not np.array_equal(first["hidden"][0, :24], first["hidden_2"][0, :24])


def test_the_signs_are_balanced() -> None:
    drawn = signs(agent_with("random-feedback", actors=60, hidden=20))["hidden"]
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_with_the_signs_of_the_paths_it_is_spikes_only(loop: str) -> None:
    """As C and Python read the same array, both must learn what spikes-only does."""
    ours, drawn, theirs = (
        agent_with(rule, loop=loop)
        for rule in ("random-feedback", "random-feedback", "spikes-only")
    )
    for name, of_layer in signs(theirs).items():
        loop_of(ours).memory.signs[name][...] = of_layer
    for agent in (ours, drawn, theirs):
        agent.learn(total_episodes=4)
    for name, weights in theirs.weights.items():
        assert np.array_equal(ours.weights[name], weights)
    assert any((drawn.weights[name] != w).any() for name, w in theirs.weights.items())


def test_another_agents_weights_leave_the_signs() -> None:
    agent, other = agent_with("random-feedback", 3), agent_with("random-feedback", 4)
    before = signs(agent)
    agent._replicas.adopt(0, other._replicas.state(0))
    assert all(np.array_equal(s, before[name]) for name, s in signs(agent).items())
    plain, theirs = agent_with("spikes-only", 3), agent_with("spikes-only", 4)
    plain._replicas.adopt(0, theirs._replicas.state(0))
    assert all(np.array_equal(s, signs(theirs)[name]) for name, s in signs(plain).items())
