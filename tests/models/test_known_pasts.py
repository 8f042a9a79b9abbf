"""Test that the same first play is asked once what an agent has to see of the past."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from neurorl.models.agent.past import PAST, Past
from neurorl.models.defaults import tables
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.first_play import FirstPlay

EVERY = frozenset(PAST)


class Cued(gym.Env[Any, Any]):
    """Show a name at first, then its place, and pay for the action that the name asked for."""

    def __init__(self, pays: float = 1.0) -> None:
        self.observation_space, self.action_space, self._pays = Discrete(8), Discrete(3), pays

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._name, self._step = int(self.np_random.integers(3)), 0
        return self._name, {}

    def step(self, action: Any) -> Any:
        self._step += 1
        reward = self._pays * (int(action) == self._name)
        return 3 + self._step % 5, reward, self._step == 10, False, {}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[FirstPlay]:
    """Return the plays that are really asked, each time anew."""
    found, plays = tables._found, list[FirstPlay]()

    def count(asked: Any, has_features: bool) -> Past:
        plays.append(asked.play)
        return found(asked, has_features)

    monkeypatch.setattr(tables, "_found", count)
    monkeypatch.setattr(tables, "_KNOWN", {})
    return plays


def a_play(steps: int = 8, actions: Any = int) -> FirstPlay:
    """Return a short play with observations of one number."""
    play = FirstPlay(seen={(): []})
    play.begin(np.array([0.5]))
    for k in range(steps):
        play.take(actions(k), 0.5 * k, k == steps - 1, np.array([float(k)]))
    return play


def test_a_second_agent_of_a_task_asks_nothing(asked: list[FirstPlay]) -> None:
    first, second = make_config(Cued()), make_config(Cued())
    assert first == second
    assert first.memories
    assert len(asked) == 1
    make_config(Cued(pays=2.0))
    assert len(asked) == 2


def test_another_question_is_asked(asked: list[FirstPlay]) -> None:
    play, box = a_play(), Box(0.0, 9.0, (1,))
    changed = [deepcopy(play) for _ in range(4)]
    changed[0].rewards[0][3] += 1e-12
    changed[1].actions[2] = 1
    changed[2].seen[()][5] = np.array([4.5])
    changed[3].is_over = False
    questions: list[Any] = [
        *((box, play, True, EVERY), (box, play, False, EVERY), (box, play, True, EVERY - {"cues"})),
        (Box(0.0, 8.0, (1,)), play, True, EVERY),
        *((box, other, True, EVERY) for other in changed),
    ]
    for number, (space, one, has_features, chooses) in enumerate(questions, 1):
        tables.past_for_table(space, lambda one=one: one, has_features, chooses)
        assert len(asked) == number


def test_few_answers_are_kept(asked: list[FirstPlay]) -> None:
    box = Box(0.0, 9.0, (1,))
    for steps in (*range(3, 3 + tables._MOST_KNOWN), 3, 99, 3, 4):  # 99 takes the place of 4
        tables.past_for_table(box, lambda steps=steps: a_play(steps), True, EVERY)
    assert len(asked) == tables._MOST_KNOWN + 2
    assert len(tables._KNOWN) == tables._MOST_KNOWN


def test_actions_that_cannot_be_written_are_asked_about_each_time(asked: list[FirstPlay]) -> None:
    play = a_play(actions=lambda k: lambda: k)
    assert play.digest == b""
    for number in (1, 2):
        tables.past_for_table(Discrete(2), lambda: play, False, frozenset())
        assert len(asked) == number
