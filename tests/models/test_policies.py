"""Test policies, and critics that begin with a value: by hand, and what agents do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.critics import Linear, LinearCritic, Optimistic
from neurorl.models.agent.policies import AnnealedSoftmax, EpsilonGreedy, Greedy, Softmax, choose
from neurorl.models.features import GaussianCells, OneHot

GRID = "neurorl/GridWorld-v0"
AUTHORS: dict[str, Any] = {"policy": "epsilon-greedy", "critic": "optimistic", "gamma": 0.9}


def test_epsilon_greedy_by_hand() -> None:
    policy = EpsilonGreedy(0.2)
    assert np.allclose(policy.distribution(np.array([3.0, 5.0, 1.0, 0])), [0.05, 0.85, 0.05, 0.05])
    assert np.allclose(
        policy.distribution(np.array([5.0, 5.0, 1.0, 0.0])), [0.45, 0.45, 0.05, 0.05]
    )
    votes = np.array([1.0, 0.0])
    assert EpsilonGreedy(0.0).distribution(votes).tolist() == Greedy().distribution(votes).tolist()
    assert EpsilonGreedy(1.0).distribution(votes).tolist() == [0.5, 0.5]
    assert EpsilonGreedy(0.3).exploration == 0.3
    with pytest.raises(DescriptionError, match=r"agent\.policy\.epsilon.*range"):
        EpsilonGreedy(1.5)


def test_annealed_softmax_by_hand() -> None:
    policy = AnnealedSoftmax(beta=0.1, beta_end=0.5, beta_decisions=8)
    grown = [policy.at(t).beta for t in (0, 4, 8, 9, 10**9)]
    assert grown == pytest.approx([0.1, 0.3, 0.5, 0.5, 0.5], rel=1e-15, abs=0)
    votes, u = np.array([1.0, 4.0, 2.0]), np.array([0.6])
    for decision, beta in ((0, 0.1), (2, 0.2), (100, 0.5)):
        chosen = policy.decide(votes, (3,), None, u, decision)
        assert np.allclose(chosen.policy, Softmax(beta).distribution(votes))
    assert np.array_equal(policy.distribution(votes), Softmax(0.5).distribution(votes))
    assert AnnealedSoftmax(exploration=0.2).at(3).exploration == 0.2
    assert type(policy.at_best()) is Greedy
    for bad in ({"beta_end": -0.1}, {"beta_decisions": 0}):
        with pytest.raises(DescriptionError, match=r"agent\.policy\.beta_"):
            AnnealedSoftmax(**bad)


def test_a_beta_that_does_not_grow_changes_no_bit() -> None:
    policies = (AnnealedSoftmax(0.15, beta_end=0.15, beta_decisions=7), Softmax(0.15))
    a, b = (SpikingActorCritic(GRID, seed=1, policy=policy) for policy in policies)
    a.learn(total_episodes=3)
    b.learn(total_episodes=3)
    for name, w in a.weights.items():
        assert np.array_equal(b.weights[name], w)


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_an_annealed_agent_goes_on_exactly(loop: str, tmp_path: Path) -> None:
    """How far beta has grown follows from the decisions, which a checkpoint has."""
    policy = AnnealedSoftmax(0.15, beta_end=2.0, beta_decisions=90)
    whole, half = (SpikingActorCritic(GRID, seed=3, loop=loop, policy=policy) for _ in range(2))
    whole.learn(total_episodes=6)
    half.learn(total_episodes=3)
    half.save(tmp_path / "half.npz")
    loaded = SpikingActorCritic.load(tmp_path / "half.npz")
    loaded.learn(total_episodes=6)
    assert [e.length for e in loaded.episodes] == [e.length for e in whole.episodes]
    for name, w in whole.weights.items():
        assert np.array_equal(loaded.weights[name], w)


class Told(gym.Env[Any, Any]):
    """Keep the actions of each episode of 11 steps; of *forbidden* steps mask the last action."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
    action_space = gym.spaces.MultiDiscrete([3, 2])

    def __init__(self, forbidden: Sequence[int] = ()) -> None:
        self.episodes: list[list[list[int]]] = []
        self._forbidden = set(forbidden)

    def _info(self) -> dict[str, Any]:
        mask = [np.ones(3, np.int8), np.ones(2, np.int8)]
        if len(self.episodes[-1]) in self._forbidden:
            mask[0][self.episodes[-1][-1][0]] = 0
        return {"action_mask": tuple(mask)} if self._forbidden else {}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.episodes.append([])
        return self.np_random.uniform(-1.0, 1.0, 2), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.episodes[-1].append(list(map(int, action)))
        shown, is_over = self.np_random.uniform(-1.0, 1.0, 2), len(self.episodes[-1]) == 11
        return shown, float(action[0]), is_over, False, self._info()


def _taken(loop: str, forbidden: Sequence[int] = (), **options: Any) -> list[list[list[int]]]:
    env = Told(forbidden)
    agent = SpikingActorCritic(env, seed=5, loop=loop, reward_scale=1.0, **OTHER, **options)
    env.episodes.clear()
    agent.learn(total_episodes=30)
    return env.episodes


OTHER: dict[str, Any] = {"cells": GaussianCells((-1.0, -1.0), (1.0, 1.0), 3), "hidden": 0}


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_actions_are_repeated_until_the_episode_ends(loop: str) -> None:
    episodes = _taken(loop, policy=Softmax(repeats=4))
    assert len(episodes) == 30
    for actions in episodes:
        for first in (0, 4, 8):
            block = actions[first : first + 4]
            assert block == [block[0]] * len(block)
    drawn = {tuple(episode[first]) for episode in episodes for first in (0, 4, 8)}
    assert len(drawn) > 3
    assert any(episode[0] != episode[4] for episode in episodes)


def test_repeats_that_fall() -> None:
    """From 8 to 1 they have six values between, each for a seventh of the decisions."""
    policy = Softmax(repeats=8, repeats_decisions=700)
    expected = [8 - decision // 100 for decision in range(700)]
    assert [policy.repeats_at(decision) for decision in range(700)] == expected
    assert [policy.repeats_at(decision) for decision in (700, 10**12)] == [1, 1]
    assert Softmax(repeats=8).repeats_at(10**12) == 8
    assert Softmax(repeats=2, repeats_decisions=1).repeats_at(1) == 1
    for bad in (-1, 2.5, 2**41):
        with pytest.raises(DescriptionError, match=r"agent\.policy\.repeats_decisions"):
            Softmax(repeats=8, repeats_decisions=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_actions_are_repeated_less_and_less(loop: str) -> None:
    """An action differs from the one before where its step divides by what is in force then."""
    episodes = _taken(loop, policy=Softmax(0.1, repeats=4, repeats_decisions=100))
    changed, drawn = set(), Softmax(repeats=4, repeats_decisions=100)
    for n, actions in enumerate(episodes):
        for step in range(1, len(actions)):
            force = drawn.repeats_at(11 * n + step)
            if actions[step] != actions[step - 1]:
                assert step % force == 0, (n, step)
                changed.add((force, step))
    assert {force for force, _ in changed} == {4, 3, 2, 1}
    assert {step for force, step in changed if force == 1} == set(range(1, 11))


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_an_action_that_a_mask_forbids_is_not_repeated(loop: str) -> None:
    for actions in _taken(loop, forbidden=(2, 5), policy=Softmax(repeats=4)):
        assert actions[0] == actions[1]
        assert actions[2][0] != actions[1][0]
        assert actions[3] == actions[2]
        assert actions[5][0] != actions[4][0]
        assert actions[6] == actions[7] == actions[5]


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize("steps", [1, 17, 30])
@pytest.mark.parametrize("model", ["lif", "lif-spiking-critic"])
def test_repeated_actions_go_on_within_an_episode(
    loop: str, steps: int, model: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"model": model, "seed": 3, "loop": loop}
    options["policy"] = Softmax(repeats=5, repeats_decisions=60)
    whole, half = (SpikingActorCritic("CartPole-v1", **options) for _ in range(2))
    whole.learn(total_steps=90)
    half.learn(total_steps=steps)
    half.save(tmp_path / "half.npz")
    loaded = SpikingActorCritic.load(tmp_path / "half.npz")
    policy = loaded.config.policy
    assert isinstance(policy, Softmax)
    assert (policy.repeats, policy.repeats_decisions) == (5, 60)
    loaded.learn(total_steps=90)
    assert [e.length for e in loaded.episodes] == [e.length for e in whole.episodes]
    for name, w in whole.weights.items():
        assert np.array_equal(loaded.weights[name], w)


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_steps_that_repeat_an_action_broadcast_nothing(loop: str) -> None:
    """Without eligibilities that last, weights change after steps that draw an action only."""
    options: dict[str, Any] = {
        "lambda_actor": 0.0,
        "policy": Softmax(repeats=4),
        "alpha_output": 5.0,
    }
    agent = SpikingActorCritic(Told(), seed=5, loop=loop, reward_scale=1.0, **OTHER, **options)
    changed, before = [], agent.weights["input_output"].copy()
    for steps in range(1, 10):
        agent.learn(total_steps=steps)
        after = agent.weights["input_output"].copy()
        changed.append(not np.array_equal(before, after))
        before = after
    assert changed == [True, False, False, False] * 2 + [True]


def test_greedy_play_decides_in_every_step() -> None:
    assert Softmax(repeats=7).at_best().repeats == 1
    with pytest.raises(DescriptionError, match=r"agent\.policy\.repeats"):
        Softmax(repeats=0)


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_the_share_that_is_drawn_evenly(loop: str) -> None:
    """Three of four actions are worse: 0.75 epsilon of all actions are such."""
    epsilon = 0.4
    agent = SpikingActorCritic(GRID, seed=1, loop=loop, policy=EpsilonGreedy(epsilon))
    inner = agent._replicas.loop
    inner.see_first(0, 1)
    inner.begin(0)
    worse, n = 0, 1500
    for _ in range(n):
        action = int(inner.decide()[0])
        p = inner.probabilities[0]
        assert np.isclose(p.sum(), 1.0)
        assert p.min() >= epsilon / 4 - 1e-12
        worse += p[action] < p.max()
    spread = np.sqrt(0.75 * epsilon * (1 - 0.75 * epsilon) / n)
    assert abs(worse / n - 0.75 * epsilon) < 4 * spread


def test_the_draws_are_those_of_other_policies() -> None:
    p = EpsilonGreedy(0.4).distribution(np.array([0.0, 2.0]))
    assert [choose(p, u) for u in (0.1, 0.19, 0.21, 0.9)] == [0, 0, 1, 1]


def test_an_optimistic_critic_is_a_table_that_begins_there() -> None:
    """A table that is 5 at first has the V of 5 + v of one-hot features."""
    n, v_0, rng = 6, 5.0, np.random.default_rng(0)
    one = Optimistic(0.1, 0.7, initial_value=v_0)
    ours = one.values(np.zeros(n), np.zeros(n), np.zeros(n), 0.9)
    table, trace = np.full(n, v_0), np.zeros(n)
    states = rng.integers(n, size=200)
    ours.x[:] = np.eye(n)[states[0]]
    for state, after in itertools.pairwise(states):
        reward, discount = float(rng.random()), float(rng.choice([0.9, 0.0]))
        delta = reward + discount * table[after] - table[state]
        trace = 0.9 * 0.7 * trace + np.eye(n)[state]
        table += 0.1 * delta * trace
        assert np.isclose(ours.modulator(reward, discount, np.eye(n)[after], 1.0), delta)
    assert np.allclose(v_0 + ours.weights, table)


def test_it_expects_too_much_at_first() -> None:
    """In a state that pays nothing, the first error is (gamma - 1) V_0, and -V_0 at an end."""
    for discount, expected in ((0.9, -0.5), (0.0, -5.0)):
        critic = Optimistic(initial_value=5.0).values(np.zeros(2), np.zeros(2), np.ones(2), 0.9)
        assert critic.value(np.ones(2)) == 5.0
        assert np.isclose(critic.modulator(0.0, discount, np.ones(2), 1.0), expected)


def test_no_initial_value_changes_no_bit() -> None:
    zeros = np.zeros(3)
    assert LinearCritic(zeros, zeros, zeros, 0.1, 0.9).initial == Linear().initial_value == 0.0
    a, b = (
        SpikingActorCritic(GRID, seed=1, critic=critic)
        for critic in (Linear(0.1), Optimistic(0.1, initial_value=0.0))
    )
    a.learn(total_episodes=3)
    b.learn(total_episodes=3)
    for name, w in a.weights.items():
        assert np.array_equal(b.weights[name], w)
    with pytest.raises(DescriptionError, match=r"agent\.critic\.initial_value"):
        Optimistic(initial_value=float("inf"))


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_an_agent_with_both_goes_on_exactly(loop: str, tmp_path: Path) -> None:
    options = {
        **AUTHORS,
        "policy.epsilon": 0.05,
        "critic.initial_value": 2.0,
        "features": OneHot(100, 1),
    }
    whole, half = (SpikingActorCritic(GRID, seed=3, loop=loop, **options) for _ in range(2))
    whole.learn(total_episodes=6)
    half.learn(total_episodes=3)
    half.save(tmp_path / "half.npz")
    loaded = SpikingActorCritic.load(tmp_path / "half.npz")
    assert loaded.config.policy == EpsilonGreedy(0.05)
    assert loaded.config.critic.initial_value == 2.0
    loaded.learn(total_episodes=6)
    assert [e.length for e in loaded.episodes] == [e.length for e in whole.episodes]
    for name, w in whole.weights.items():
        assert np.array_equal(loaded.weights[name], w)
