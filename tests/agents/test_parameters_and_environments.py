"""Learned arrays are taken out and put in by name, and environments are changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import LinearActorCritic, ReparameterizedActorCritic, SpikingActorCritic
from neurorl.agents.base import LearningAgent
from neurorl.errors import ArgumentError, NeurorlError, UnknownNameError, UnsupportedError

SMALL: dict[str, Any] = {"actors": 1, "hidden": 2}
CARTPOLE = "CartPole-v1"


def alone(seed: int) -> LearningAgent:
    return SpikingActorCritic(CARTPOLE, seed=seed, **SMALL)


def together(seed: int) -> LearningAgent:
    return SpikingActorCritic(CARTPOLE, seed=seed, environments=3, **SMALL)


def on_chip(seed: int) -> LearningAgent:
    return SpikingActorCritic(CARTPOLE, seed=seed, backend="loihi", **SMALL)


def deep(seed: int) -> LearningAgent:
    return SpikingActorCritic(CARTPOLE, model="deep", seed=seed, hidden=(8,))


def linear(seed: int) -> LearningAgent:
    return LinearActorCritic(CARTPOLE, seed=seed)


def gradients(seed: int) -> LearningAgent:
    pytest.importorskip("torch", reason="learning by gradients needs PyTorch")
    return ReparameterizedActorCritic(CARTPOLE, seed=seed, **SMALL)


EACH = pytest.mark.parametrize("make", [alone, together, on_chip, deep, linear, gradients])


@EACH
def test_a_round_trip_changes_no_bit(make: Callable[[int], LearningAgent]) -> None:
    agent, other, untouched = make(1), make(2), make(1)
    for one in (agent, untouched):
        one.learn(total_timesteps=150)
    kept = agent.get_parameters()
    other.set_parameters(kept)
    for name, array in other.get_parameters().items():
        assert array.dtype == kept[name].dtype, name
        assert array.tobytes() == kept[name].tobytes(), name
    assert all((other.weights[name] == w).all() for name, w in agent.weights.items())
    agent.set_parameters(kept)
    for one in (agent, untouched):
        one.learn(total_timesteps=100)
    assert agent.episodes == untouched.episodes
    assert any((agent.get_parameters()[name] != array).any() for name, array in kept.items())


def test_arrays_are_copies() -> None:
    agent = alone(1)
    kept = agent.get_parameters()
    before = {name: array.copy() for name, array in kept.items()}
    for array in kept.values():
        array[...] = 7.0
    for name, array in agent.get_parameters().items():
        assert np.array_equal(array, before[name])


def test_some_arrays_are_enough_if_said() -> None:
    agent = alone(1)
    critic = np.full(agent.get_parameters()["critic"].shape, 2.0)
    with pytest.raises(ArgumentError, match=r"lacks arrays .*learner\.weights.*exact_match=False"):
        agent.set_parameters({"critic": critic})
    agent.set_parameters({"critic": critic.tolist()}, exact_match=False)
    assert np.array_equal(agent.get_parameters()["critic"], critic)


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        ({"critics": np.zeros(3)}, UnknownNameError, "did you mean 'critic'"),
        ({"critic": np.zeros(3)}, ArgumentError, r"another shape.*got \(3,\)"),
        ({"critic": "much"}, ArgumentError, "isn't numbers"),
        ({"critic": [[1.0], [1.0, 2.0]]}, ArgumentError, "isn't numbers"),
        ({"critic": None}, ArgumentError, "another shape"),
        ({"critic": np.full(3, 1j)}, ArgumentError, "isn't numbers"),
        (None, ArgumentError, "needs arrays by name"),
        ([1], ArgumentError, "another kind"),
    ],
)
def test_what_does_not_fit_changes_nothing(bad: Any, error: Any, said: str) -> None:
    agent = alone(1)
    before = agent.get_parameters()
    given = {**before, **bad} if isinstance(bad, dict) else bad
    with pytest.raises(error, match=said) as raised:
        agent.set_parameters(given)
    assert "\n" not in str(raised.value)
    not_finite = {"critic": np.full(before["critic"].shape, np.nan)}
    with pytest.raises(ArgumentError, match="isn't finite"):
        agent.set_parameters(not_finite, exact_match=False)
    assert all(np.array_equal(before[n], a) for n, a in agent.get_parameters().items())


@EACH
def test_an_array_out_of_range_changes_none_of_the_others(
    make: Callable[[int], LearningAgent],
) -> None:
    """Each array in turn is beyond what it may hold, and all others are other numbers."""
    agent, untouched = make(1), make(1)
    for one in (agent, untouched):
        one.learn(total_timesteps=150)
    kept, refused = agent.get_parameters(), 0
    others = {name: array + 1 if array.dtype.kind == "f" else array for name, array in kept.items()}
    for name, array in kept.items():
        beyond = np.full_like(array, -1e35 if array.dtype.kind == "f" else -2)
        try:
            agent.set_parameters({**others, name: beyond})
        except ArgumentError:
            refused += 1
        else:  # a critic may have learned anything
            agent.set_parameters(kept)
        for other, before in kept.items():
            assert agent.get_parameters()[other].tobytes() == before.tobytes(), (name, other)
    assert refused or make is linear
    for one in (agent, untouched):
        one.learn(total_timesteps=100)
    assert agent.episodes == untouched.episodes


@EACH
def test_an_agent_goes_on_in_another_environment(make: Callable[[int], LearningAgent]) -> None:
    agent = make(1)
    agent.learn(total_timesteps=70)
    played, weights = list(agent.episodes), agent.weights
    limited = gym.make(CARTPOLE, max_episode_steps=7)
    agent.set_env(limited)
    assert agent.get_env() is limited
    assert all((agent.weights[name] == w).all() for name, w in weights.items())
    new = agent.learn(total_timesteps=70)
    assert new
    assert agent.episodes[: len(played)] == played
    assert max(episode.length for episode in new) == 7


def test_other_environments_are_refused(tmp_path: Any) -> None:
    agent = alone(1)
    for bad, said in (("Acrobot-v1", "another observation_space"), ("No-v0", "unknown"), (3, "no")):
        with pytest.raises(NeurorlError, match=said):
            agent.set_env(bad)  # type: ignore[arg-type]
    assert agent.env_id == CARTPOLE
    agent.set_env(lambda: gym.make(CARTPOLE, max_episode_steps=9))
    agent.save(tmp_path / "agent.npz")
    assert SpikingActorCritic.load(tmp_path / "agent.npz").learn(total_episodes=1)[0].length <= 9


def test_nothing_is_changed_in_training() -> None:
    agent = alone(1)
    calls = (lambda: agent.set_env(CARTPOLE), lambda: agent.set_parameters(agent.get_parameters()))
    for call in calls:
        with pytest.raises(UnsupportedError, match="while it trains"):
            agent.learn(total_timesteps=200, callback=lambda _, call=call: call())
