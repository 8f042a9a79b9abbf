"""Check step sizes that change from episode to episode, and that agents count as they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.schedules import HarmonicDecay, LinearFall
from neurorl.tasks.known import GRID_ID


def test_a_slowing_rate_by_hand() -> None:
    schedule = HarmonicDecay(50)
    rates = [schedule.rate_after(3, decisions) for decisions in (0, 49, 50, 75, 100, 500)]
    assert rates == [1.0, 1.0, 1.0, 50 / 75, 0.5, 0.1]
    assert schedule.rate(10**6) == 1.0
    assert LinearFall(0.5, 4).rate_after(2, 10**6) == LinearFall(0.5, 4).rate(2) == 0.75


def test_the_count_must_be_positive() -> None:
    with pytest.raises(DescriptionError, match=r"agent\.schedule\.decisions"):
        HarmonicDecay(0)


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_the_rate_is_that_of_decisions_before_the_episode(loop: str) -> None:
    agent = SpikingActorCritic(GRID_ID, seed=2, loop=loop, schedule=HarmonicDecay(30))
    rates: list[float] = []
    before: list[int] = [0]

    def watch(episode: Any) -> None:
        rates.append(float(agent._replicas.loop.rate[0]))
        before.append(episode.env_steps)

    agent.learn(total_episodes=6, callback=watch)
    assert rates == [30 / max(30, decisions) for decisions in before[:-1]]
    assert min(rates) < 1.0


@pytest.mark.parametrize("at", [25, 70])
def test_an_agent_goes_on_exactly_in_the_midst_of_an_episode(at: int, tmp_path: Path) -> None:
    options: dict[str, Any] = {"schedule": "slowing", "schedule.decisions": 10}
    whole, half = (SpikingActorCritic(GRID_ID, seed=3, **options) for _ in range(2))
    whole.learn(total_steps=200)
    half.learn(total_steps=at)
    half.save(tmp_path / "half.npz")
    loaded = SpikingActorCritic.load(tmp_path / "half.npz")
    loaded.learn(total_steps=200)
    for name, weights in whole.weights.items():
        assert np.array_equal(loaded.weights[name], weights)
