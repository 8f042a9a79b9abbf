"""Tasks whose past must be counted, or whose observations tell nothing, are told so."""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Discrete, MultiDiscrete, Space
from gymnasium.wrappers import TimeLimit

from neurorl.diagnostics.causes import judge
from neurorl.diagnostics.observed import Hidden, hidden
from neurorl.diagnostics.outcome import Facts
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.first_play import play_again


class Quiz(gym.Env[Any, Any]):
    """Show a card of two kinds and ask how many of a kind came before: one of 20 answers pays."""

    observation_space = MultiDiscrete([2, 2])
    action_space = Discrete(20)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._counts = np.zeros(2, dtype=int)
        return self._deal(), {}

    def _deal(self) -> Any:
        kind, self._asked = self.np_random.integers(0, 2, 2).tolist()
        self._counts[kind] += 1
        return np.array([kind, self._asked])

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self._counts[self._asked])
        return self._deal(), reward, False, False, {}


class Dig(gym.Env[Any, Any]):
    """Hide two mines among 16 fields, show a number drawn at random, and pay for new fields."""

    observation_space = Discrete(3)
    action_space = MultiDiscrete([4, 4])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._mines = {divmod(int(k), 4) for k in self.np_random.choice(16, 2, replace=False)}
        self._dug: set[tuple[int, ...]] = set()
        return 0, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        field = tuple(map(int, action))
        reward = -0.6 if field in self._mines else -0.04 if field in self._dug else 0.07
        self._dug.add(field)
        return int(self.np_random.integers(3)), reward, field in self._mines, False, {}


class Arms(gym.Env[Any, Any]):
    """Pay by chances of arms, drawn for each episode, and show whether the last one paid."""

    observation_space = Discrete(2)
    action_space = Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._chances = self.np_random.random(3)
        return 0, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        paid = bool(self.np_random.random() < self._chances[action])
        return int(paid), float(paid), False, False, {}


class Clock(gym.Env[Any, Any]):
    """Pay in the sixth step whatever is done, and show a flag that falls later, beside noise."""

    observation_space = gym.spaces.Box(0.0, 1.0, (2,), np.float64)
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._steps = 0
        return np.array([1.0, self.np_random.random()]), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        seen = np.array([float(self._steps < 12), self.np_random.random()])
        return seen, float(self._steps == 6), False, False, {}


class Plain(gym.Env[Any, Any]):
    """Show two numbers, and pay for the action that the first one names."""

    observation_space: Space[Any] = MultiDiscrete([4, 4])
    action_space: Space[Any] = Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._shown = self.np_random.integers(0, 4, 2)
        return self._shown, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self._shown[0])
        self._shown = self.np_random.integers(0, 4, 2)
        return self._shown, reward, False, False, {}


def _hidden(env: gym.Env[Any, Any], seed: int) -> Hidden:
    env = TimeLimit(env, 20)
    play = play_again(env, 2000, seed)
    assert play is not None
    return hidden(env.observation_space, make_config(env, "lif", {"memories": ()}), play, [])


def _words(found: Hidden) -> tuple[str, str]:
    config = make_config(gym.make("CartPole-v1"))
    returns = np.resize([0.1, 0.2, 0.4], 200)
    facts = Facts(config, 0, "return", returns, 30_000, random=returns, look=lambda: found)
    verdict = judge([facts])
    return verdict.kind, verdict.words


@pytest.mark.parametrize("seed", [1, 2])
def test_what_must_be_counted_is_named(seed: int) -> None:
    kind, words = _words(_hidden(Quiz(), seed))
    assert kind == "memory"
    assert "how often observation[0] had the value of observation[1] tells" in words
    assert "wrapper" in words


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_who_must_learn_within_an_episode_what_pays_is_told(seed: int) -> None:
    kind, words = _words(_hidden(Arms(), seed))
    assert kind == "memory"
    assert "how each action was paid before tells" in words


@pytest.mark.parametrize("seed", [1, 2])
def test_observations_that_tell_nothing_are_a_cause(seed: int) -> None:
    found = _hidden(Dig(), seed)
    kind, words = _words(dataclasses.replace(found, effect=0.01))
    assert kind == "memory"
    assert "tells nothing" in words


@pytest.mark.parametrize("seed", [1, 2])
def test_a_plain_task_hides_nothing(seed: int) -> None:
    found = _hidden(Plain(), seed)
    assert found.counted == ""
    assert found.shown is not None
    assert found.shown > 0.5
    assert _words(found)[0] == "unknown"


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_paid_by_the_clock_is_not_called_a_count(seed: int) -> None:
    assert _hidden(Clock(), seed).counted == ""


def test_one_of_many_actions_is_not_called_powerless_by_few_rows() -> None:
    assert _hidden(Quiz(), 1).effect is not None  # 20 actions, 2,000 rows
    env = Quiz()
    env.action_space = Discrete(30)
    assert _hidden(env, 1).effect is None


def test_few_paid_episodes_of_random_play_are_no_evidence() -> None:
    config = make_config(gym.make("CartPole-v1"))
    returns = np.zeros(200)
    returns[::25] = 1.0  # 4 % of the episodes
    paid = {1: "unrewarded", 3: "unknown"}
    for n, kind in paid.items():
        at_random = np.zeros(8)
        at_random[:n] = 1.0
        facts = Facts(config, 0, "return", returns, 30_000, random=at_random)
        assert judge([facts]).kind == kind
