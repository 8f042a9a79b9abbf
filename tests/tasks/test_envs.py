"""Compare the gridworld with its definition, and test environments that can't be used."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from neurorl.errors import ArgumentError, NeurorlError, UnknownNameError, UnsupportedError
from neurorl.tasks.cartpole import CartPoleVariantEnv
from neurorl.tasks.environments import (
    BanditEnv,
    GridWorldEnv,
    make_env,
    move,
    optimal_return,
    transitions,
)

UP, DOWN, LEFT, RIGHT = range(4)


@pytest.mark.parametrize("env", [GridWorldEnv, BanditEnv])
def test_gymnasium_accepts_it(env: type[gym.Env[Any, Any]]) -> None:
    check_env(env(), skip_render_check=True)


# Velocities are without bounds, as Gymnasium has them.
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.*value is:UserWarning")
@pytest.mark.parametrize("velocities", [True, False])
def test_gymnasium_accepts_a_variant_of_cartpole(velocities: bool) -> None:
    check_env(CartPoleVariantEnv(1.5, velocities), skip_render_check=True)


def test_the_bandit_pays_in_the_good_arm() -> None:
    env = make_env("neurorl/Bandit-v0")
    paid: dict[tuple[int, int], list[float]] = {}
    for k in range(4800):
        context, _ = env.reset(seed=k)
        seen, reward, terminated, truncated, info = env.step(k % 4)
        assert (seen, terminated, truncated) == (context, True, False)
        assert info["good"] == (k % 4 == context % 4)
        paid.setdefault((context, k % 4), []).append(float(reward))
    assert len(paid) == 6 * 4
    for (context, arm), rewards in paid.items():
        p = 0.9 if arm == context % 4 else 0.1
        assert abs(np.mean(rewards) - p) < 5 * np.sqrt(0.09 / len(rewards))


def test_a_variant_of_cartpole_is_cartpole_but_for_what_was_asked() -> None:
    ids = ("CartPole-v1", "neurorl/CartPole-v0", "neurorl/PositionOnlyCartPole-v0")
    whole, same, blind = (gym.make(env_id) for env_id in ids)
    longer = gym.make("neurorl/CartPole-v0", length=1.0)
    seen = [env.reset(seed=3)[0] for env in (whole, same, blind, longer)]
    for k in range(8):
        np.testing.assert_array_equal(seen[1], seen[0])
        np.testing.assert_array_equal(seen[2], seen[0][[0, 2]])
        assert k < 2 or not np.array_equal(seen[3], seen[0])
        seen = [env.step(k % 2)[0] for env in (whole, same, blind, longer)]
    assert whole.spec is not None
    assert same.spec is not None
    assert same.spec.max_episode_steps == whole.spec.max_episode_steps == 500
    assert blind.observation_space.shape == (2,)


@pytest.mark.parametrize("length", [0.0, -1.0, float("nan")])
def test_a_pole_has_a_length(length: float) -> None:
    with pytest.raises(ArgumentError, match="length"):
        CartPoleVariantEnv(length=length)


def test_walls_hold_and_states_go_row_by_row() -> None:
    assert [move(1, d) for d in range(4)] == [1, 11, 1, 2]
    assert [move(100, d) for d in range(4)] == [90, 100, 99, 100]
    assert [move(10, d) for d in range(4)] == [10, 20, 9, 10]
    assert [move(45, d) for d in range(4)] == [35, 55, 44, 46]


def test_transitions_by_hand() -> None:
    p = transitions()
    assert np.allclose(p.sum(axis=2), 1.0)
    # Heading down from 45: 55; veering left of it is right (46), right of it is left (44).
    assert p[44, DOWN, [54, 45, 43, 44]] == pytest.approx([0.8, 0.05, 0.05, 0.1])
    # Heading up in the corner: the wall holds, left too, so only the veer to the right moves.
    assert p[0, UP, [0, 1]] == pytest.approx([0.95, 0.05])


def test_the_environment_draws_those_transitions() -> None:
    env = GridWorldEnv()
    env.reset(seed=0)
    seen = np.zeros(100)
    for _ in range(8000):
        env._state = 45
        state, reward, terminated, truncated, _ = env.step(RIGHT)
        seen[state - 1] += 1
        assert (reward, terminated, truncated) == (0.0, False, False)
    assert np.abs(seen / 8000 - transitions()[44, RIGHT]).max() < 4 * (0.25 / 8000) ** 0.5


def test_the_goal_ends_it_with_10() -> None:
    env = GridWorldEnv()
    env.reset(seed=1)
    env._state = 99
    result: tuple[Any, ...] = (99, 0.0, False, False, {})
    while not result[2]:
        result = env.step(RIGHT)
    assert result[:4] == (100, 10.0, True, False)


def test_it_is_registered_and_truncated_at_300_steps() -> None:
    env = gym.make("neurorl/GridWorld-v0")
    state, _ = env.reset(seed=0)
    assert state == 1
    for k in range(300):
        *_, terminated, truncated, _ = env.step(UP)
        assert (terminated, truncated) == (False, k == 299)


def test_optimum() -> None:
    assert optimal_return(0.9) == pytest.approx(1.1207, abs=5e-5)


def test_render_shows_the_agent() -> None:
    env = GridWorldEnv(render_mode="ansi")
    env.reset()
    rows = env.render().splitlines()
    assert rows[0] == "@........."
    assert rows[9] == ".........G"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("CartPol-v1", UnknownNameError, "did you mean 'CartPole-v1'"),
        ("neurorl/GridWorld", UnknownNameError, "did you mean 'neurorl/GridWorld-v0'"),
        ("no such thing", UnknownNameError, "unknown name"),
        ("no_such_module:Thing-v0", UnsupportedError, "can't be made here"),
    ],
)
def test_other_environments_are_refused(name: str, error: type[NeurorlError], words: str) -> None:
    with pytest.raises(error, match=words):
        make_env(name)
