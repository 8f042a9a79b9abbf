"""Check that changes of a task that change nothing an agent can use teach it the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Text, Tuple
from gymnasium.wrappers import TimeLimit, TransformObservation, TransformReward

from neurorl import SpikingActorCritic
from neurorl.models.deep.observations import Standardised
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.observations import seen_parts
from neurorl.numerics.arrays import Array

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")

Env = gym.Env[Any, Any]
STEPS = 600


class Board(gym.Env[Any, Any]):
    """Walk from a place on a board of 5 x 5 to a corner, which pays 1."""

    action_space: Space[Any] = Discrete(4)
    observation_space: Space[Any] = MultiDiscrete([5, 5])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._at = self.np_random.integers(4, size=2)
        return self._at.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        way = ((0, 1), (1, 0), (0, -1), (-1, 0))[int(action)]
        self._at = np.clip(self._at + way, 0, 4)
        is_there = bool((self._at == 4).all())
        return self._at.copy(), float(is_there), is_there, False, {}


def board() -> Env:
    return TimeLimit(Board(), 50)


def learned(env: Env) -> dict[str, Array]:
    """Return the weights after a short training with all defaults."""
    agent = SpikingActorCritic(env, seed=100)
    agent.learn(total_steps=STEPS)
    return dict(agent.weights)


def check_same(one: Env, other: Env) -> None:
    """Check that both tasks teach the same weights, bit for bit."""
    weights, others = learned(one), learned(other)
    assert weights.keys() == others.keys()
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


class Levers(gym.Env[Any, Any]):
    """Pay for the lever after the last one; change the action that was given, or leave it.

    numbers: whether the action is a number, of which the third that it is in counts.
    """

    observation_space: Space[Any] = MultiDiscrete([2, 2])

    def __init__(self, numbers: bool, *, changes: bool) -> None:
        self.action_space: Space[Any] = Box(0.0, 3.0, (1,)) if numbers else MultiDiscrete([3])
        self._changes = changes

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._last = 0
        return self.np_random.integers(2, size=2), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert 0 <= action[0] <= 3
        lever = min(int(action[0]), 2)
        if self._changes:
            action -= 5
        reward = float(lever == (self._last + 1) % 3)
        self._last = lever
        return self.np_random.integers(2, size=2), reward, False, False, {}


@pytest.mark.parametrize("numbers", [False, True])
def test_tasks_may_change_the_actions_that_they_are_given(numbers: bool) -> None:
    """A held action is given again in the first play, as it was."""
    one, other = (TimeLimit(Levers(numbers, changes=changes), 20) for changes in (False, True))
    check_same(one, other)


@pytest.mark.parametrize("power", [-60, -14, 7])
def test_the_size_of_rewards_changes_no_bit_of_hidden_layers(power: int) -> None:
    """Powers of two are exact, so that even rounding is the same."""
    assert SpikingActorCritic(board(), seed=100).config.trunk.is_shared
    check_same(board(), TransformReward(board(), lambda reward: float(reward) * 2.0**power))


FORMS: dict[str, tuple[Space[Any], Any]] = {
    "a Tuple": (Tuple((Discrete(5), Discrete(5))), lambda x: (x[0], x[1])),
    "a Tuple in a Dict": (Dict(a=Tuple((Discrete(5), Discrete(5)))), lambda x: {"a": (x[0], x[1])}),
    "a Dict in a Tuple": (
        Tuple((Dict(b=Discrete(5)), Dict(a=Dict(c=Discrete(5)), z=Text(3)))),
        lambda x: ({"b": x[0]}, {"z": "no", "a": {"c": x[1]}}),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_parts_of_parts_are_learned_as_numbers_side_by_side(form: str, tmp_path: Path) -> None:
    space, shown = FORMS[form]
    env = TransformObservation(board(), shown, space)
    check_same(board(), env)
    agent = SpikingActorCritic(env, seed=100)
    agent.save(tmp_path / "agent.npz")
    loaded, at = SpikingActorCritic.load(tmp_path / "agent.npz", env=env), shown(np.array([1, 3]))
    assert loaded.predict(at) == agent.predict(at)


ANGLES = {
    "alone": (Box(-8.0, 8.0, (3,)), lambda x: x),
    "with flags": (
        Dict(a=Box(-8.0, 8.0, (3,)), b=MultiBinary(2)),
        lambda x: {"a": x, "b": np.zeros(2, np.int8)},
    ),
    "with whole numbers": (
        Dict(a=Box(-8.0, 8.0, (3,)), b=MultiDiscrete([2, 2])),
        lambda x: {"a": x, "b": np.array([1, 0])},
    ),
    "within": (
        Tuple((Dict(b=Dict(c=Box(-8.0, 8.0, (2,)), a=Box(-8.0, 8.0, (1,)))),)),
        lambda x: ({"b": {"a": x[2:], "c": x[:2]}},),
    ),
}


@pytest.mark.parametrize("form", [name for name in ANGLES if name != "alone"])
def test_constant_parts_and_parts_of_parts_change_no_bit_of_tiles(form: str) -> None:
    alone, other = (
        TransformObservation(gym.make("Pendulum-v1"), shown, space)
        for space, shown in (ANGLES["alone"], ANGLES[form])
    )
    check_same(alone, other)


def test_parts_are_named_by_the_keys_that_lead_to_them() -> None:
    space = Dict(a=Tuple((Discrete(2), Dict(c=Box(0.0, 1.0, (2,))))), b=Text(3), d=MultiBinary(3))
    assert [*seen_parts(space)] == [("a", 0), ("a", 1, "c"), "d"]


class Currents(gym.Env[Any, Any]):
    """Show 14 currents, of which the sum of three tells the action that pays.

    units: what each is multiplied by.
    """

    action_space: Space[Any] = Discrete(2)
    observation_space: Space[Any] = Box(-np.inf, np.inf, (14,), np.float64)

    def __init__(self, units: float | Array) -> None:
        self._units = units

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._show(), {}

    def _show(self) -> Any:
        self._shown = self.np_random.normal(size=14)
        return self._shown * self._units

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float((self._shown[:3].sum() > 0.0) == action)
        return self._show(), reward, False, False, {}


def measured(env: Env) -> Standardised:
    """Return how hidden layers measure the numbers of a task."""
    trunk = SpikingActorCritic(env, seed=100).config.trunk
    assert isinstance(trunk, Shared)
    assert isinstance(trunk.observations, Standardised)
    return trunk.observations


@pytest.mark.parametrize("units", [1e-7, 1e-12, 1e-100, np.repeat([1e-12, 1.0], 7)], ids=str)
def test_small_units_are_seen_by_hidden_layers(units: Any) -> None:
    """Small numbers reach the same activations, but for the last digits."""
    shown: list[Array] = []
    for of in (1.0, units):
        observations = measured(TimeLimit(Currents(of), 20))
        rows = np.random.default_rng(5).normal(size=(300, 14)) * of
        mean = rows.mean(axis=0)
        square = ((rows - mean) ** 2).sum(axis=0)
        each = [observations.activation(row, mean, square, len(rows)) for row in rows]
        shown.append(np.array(each))
    assert shown[0].std() > 0.05
    assert np.allclose(shown[0], shown[1], rtol=1e-5, atol=1e-5)


def test_numbers_that_vary_by_rounding_alone_stay_constant() -> None:
    env = TimeLimit(Currents(np.repeat([1e-12, 1.0], [1, 13])), 20)
    constant = TransformObservation(env, lambda x: x + np.eye(14)[0], env.observation_space)
    assert measured(constant).floor == 1e-8
