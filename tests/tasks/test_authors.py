"""Test the carts of the papers' programs by states that were computed by hand."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest

import neurorl  # noqa: F401  registers the ids
from neurorl.tasks.authors import AuthorsCartPoleEnv, AuthorsMountainCarEnv


def test_the_hill_begins_at_rest_and_pays_minus_one() -> None:
    env = AuthorsMountainCarEnv()
    observation, _ = env.reset(seed=3)
    assert observation.tolist() == [-0.5, 0.0]
    observation, reward, terminated, truncated, _ = env.step(2)
    velocity = 0.001 - 0.0025 * math.cos(-1.5)  # 0.000823
    assert observation.tolist() == np.array([-0.5 + velocity, velocity], np.float32).tolist()
    assert (reward, terminated, truncated) == (-1.0, False, False)
    env.reset()
    observation, *_ = env.step(0)
    velocity = -0.001 - 0.0025 * math.cos(-1.5)
    assert observation.tolist() == np.array([-0.5 + velocity, velocity], np.float32).tolist()


@pytest.mark.parametrize(
    ("state", "action", "place", "velocity", "ended"),
    [
        # The place moves by what isn't limited yet: 0.0695 + 0.001 - 0.0025 cos(-1.5) > 0.07.
        ((-0.5, 0.0695), 2, -0.5 + 0.0705 - 0.0025 * math.cos(1.5), 0.07, False),
        ((-1.19, -0.06), 0, -1.2, 0.0, False),
        ((0.49, 0.05), 1, 0.5, 0.0, True),
    ],
)
def test_the_car_stands_at_both_ends_and_is_limited(
    state: tuple[float, float], action: int, place: float, velocity: float, ended: bool
) -> None:
    env = AuthorsMountainCarEnv()
    env.reset()
    env._place, env._velocity = state
    observation, _, terminated, truncated, _ = env.step(action)
    assert observation.tolist() == pytest.approx([place, velocity], abs=1e-7)
    assert (terminated, truncated) == (False, ended)


def test_the_hill_ends_after_5001_steps() -> None:
    env = gym.make("neurorl/AuthorsMountainCar-v0")
    env.reset(seed=0)
    steps, truncated = 0, False
    while not truncated:
        *_, truncated, _ = env.step(1)
        steps += 1
    assert steps == 5001


def test_the_pole_moves_as_gymnasiums_and_ends_by_speed_too() -> None:
    ours, other = AuthorsCartPoleEnv(), gym.make("CartPole-v1").unwrapped
    first, _ = ours.reset(seed=5)
    assert first.tolist() == other.reset(seed=5)[0].tolist()
    for action in (1, 0, 1, 1):
        observation, reward, terminated, truncated, _ = ours.step(action)
        assert observation.tolist() == other.step(action)[0].tolist()
        assert (reward, terminated, truncated) == (1.0, False, False)
    ours.state = np.array([0.0, 0.0, 0.0, 3.5])
    assert ours.step(1)[2:4] == (False, True)
    ours.reset()
    ours.state = np.array([0.0, 0.0, 0.25, 0.0])  # beyond 12 degrees
    assert ours.step(1)[2:4] == (False, True)


def test_the_pole_ends_after_200_steps() -> None:
    env = gym.make("neurorl/AuthorsCartPole-v0")
    assert env.spec is not None
    assert env.spec.max_episode_steps == 200
