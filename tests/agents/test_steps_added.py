"""`learn` adds environment steps as Stable-Baselines3 does, by name or by a bare number."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest

from neurorl import LinearActorCritic, SpikingActorCritic
from neurorl.agents import budget
from neurorl.agents.callbacks import Progress
from neurorl.errors import ArgumentError, ChangeWarning, UnknownNameError

SMALL: dict[str, Any] = {"actors": 1, "hidden": 2}


def small(seed: int = 1) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", seed=seed, **SMALL)


def test_steps_are_added_and_learning_goes_on() -> None:
    parts, whole = small(), small()
    for n in (30, 50):
        parts.learn(total_timesteps=n)
    assert parts.steps_taken == 80
    whole.learn(total_steps=80)
    assert parts.episodes == whole.episodes
    assert all((parts.weights[name] == w).all() for name, w in whole.weights.items())


@pytest.mark.parametrize("resets", [True, False])
def test_resetting_the_counter_loses_nothing(resets: bool) -> None:
    agent, plain = small(), small()
    for _ in range(2):
        agent.learn(total_timesteps=25, reset_num_timesteps=resets)
    plain.learn(total_steps=50)
    assert agent.steps_taken == 50
    assert agent.episodes == plain.episodes


def test_a_bare_number_counts_steps_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_told_of_bare", threading.Event())
    agent = LinearActorCritic("CartPole-v1", seed=1)
    said = (
        r"^learn: a bare number counts environment steps and adds them \(got 100; once it was "
        r"episodes in all\); total_episodes=100 for those$"
    )
    with pytest.warns(ChangeWarning, match=said):
        agent.learn(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent.learn(20)
    assert agent.steps_taken == 120
    assert issubclass(ChangeWarning, FutureWarning)


def test_the_former_name_of_total_episodes_works_and_warns() -> None:
    with pytest.warns(ChangeWarning, match="episodes= is called total_episodes="):
        assert len(small().learn(episodes=2)) == 2


def test_steps_of_several_environments_count_together() -> None:
    agent = SpikingActorCritic("CartPole-v1", environments=4, **SMALL)
    agent.learn(total_timesteps=40)
    agent.learn(total_timesteps=40)
    assert agent.steps_taken == 80


@pytest.mark.parametrize("n", [-1, 2.5, True, "10", 2**60])
def test_a_number_that_is_none_is_refused(n: Any) -> None:
    with pytest.raises(ArgumentError, match="learn, total_timesteps: must be a whole number"):
        small().learn(total_timesteps=n)


def test_two_numbers_are_refused() -> None:
    agent = small()
    with pytest.raises(ArgumentError, match=r"takes one number .*got 2"):
        agent.learn(5, total_episodes=5)
    with pytest.raises(ArgumentError, match=r"takes one number .*got 3"):
        agent.learn(total_timesteps=5, total_steps=5, total_episodes=1)
    with pytest.raises(ArgumentError, match="neither"):
        agent.learn()
    with pytest.raises(UnknownNameError, match="total_episodes"):
        agent.learn(total_episode=5)  # type: ignore[arg-type]
    assert agent.steps_taken == 0


def test_a_bar_is_shown_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int | None] = []
    monkeypatch.setattr(Progress, "on_start", lambda self: shown.append(self.budget.steps))
    agent = small()
    agent.learn(total_timesteps=10, progress_bar=True)
    agent.learn(total_timesteps=10)
    assert shown == [10]
    with pytest.raises(ArgumentError, match="progress_bar"):
        agent.learn(total_timesteps=10, progress_bar=1)  # type: ignore[arg-type]
