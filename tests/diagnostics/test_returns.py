"""Test what returns show: hand-made ones, and runs that fail and that learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.diagnostics.verdicts import Returns
from neurorl.errors import PopulationWarning


@dataclass
class Past:
    episode: int
    discounted: float


def kinds(scale: float | None, *returns: float) -> list[str]:
    """Return what is found, when asked every 20 episodes and in the end at once: the same."""
    played = [Past(k, ret) for k, ret in enumerate(returns)]
    judge = Returns(scale)
    for n in range(20, len(played), 20):
        judge.verdicts(played[:n])
    found = judge.verdicts(played)
    assert found == Returns(scale).verdicts(played)
    return sorted(found)


NOISE = np.random.default_rng(1).normal(size=600).tolist()


@pytest.mark.parametrize(
    ("scale", "returns", "expected"),
    [
        (1.0, [0.0] * 299, []),
        (1.0, [0.0] * 300, ["unrewarded"]),
        (1.0, [0.0] * 200 + [1.0] + [0.0] * 100, []),
        (0.02, [-86.6] * 199, []),
        (0.02, [-86.6] * 200, ["flat"]),
        (0.02, [-86.6] * 180 + [-70.0] * 20, []),
        (1.0, [1.0] + [0.0] * 499, []),
        (1.0, [1.0] + [0.0] * 500, ["flat"]),
        (0.02, [1.0 * (k % 30 == 0) for k in range(120)], ["faint"]),
        (0.02, [1.0 * (k % 30 == 0) for k in range(99)], []),
        (0.2, [1.0 * (k % 30 == 0) for k in range(120)], []),
        (1.0, [50.0 + n for n in NOISE[:120]], ["loud"]),
        (-1.0, [50.0 + n for n in NOISE[:120]], ["loud"]),
        (0.3, [50.0 + n for n in NOISE[:120]], []),
        (1.0, [0.0] * 3 + [50.0 + n for n in NOISE[:120]], []),  # was learned at once
        (1.0, [50.0 + n for n in NOISE[:100]] + [100.0] * 500, []),  # has learned it
        (0.02, [0.1] * 100 + [2.0] * 100, []),
        # Rewards are divided by their deviation.
        (None, [50.0 + n for n in NOISE[:120]], []),
        (None, [1e-3 * (k % 30 == 0) for k in range(120)], []),
        (None, [0.0] * 300, ["unrewarded"]),
        (None, [-86.6] * 200, ["flat"]),
    ],
)
def test_verdicts(scale: float | None, returns: list[float], expected: list[str]) -> None:
    assert kinds(scale, *returns) == expected


FAILING: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("FrozenLake-v1", {"reward_scale": 0.02}, 200, "faint", "reward_scale (now 0.02)"),
    ("FrozenLake-v1", {"reward_scale": 0.05}, 200, "faint", "reward_scale (now 0.05)"),
    ("CartPole-v1", {"reward_scale": 5.0}, 120, "loud", "reward_scale (now 5)"),
    ("MountainCar-v0", {"alpha_output": 0.0, "alpha_hidden": 0.0}, 200, "flat", "exploration"),
]


@pytest.mark.parametrize(("env", "options", "episodes", "kind", "field"), FAILING)
def test_a_run_that_fails_is_told_the_field(
    env: str, options: dict[str, Any], episodes: int, kind: str, field: str, tmp_path: Path
) -> None:
    small = {"actors": 1} | ({} if env == "FrozenLake-v1" else {"hidden": 2})
    made = gym.make(env, max_episode_steps=20) if "Car-" in env else gym.make(env)
    agent = SpikingActorCritic(made, seed=1, **{**small, **options})
    with pytest.warns(PopulationWarning):
        agent.learn(total_episodes=episodes)
    found = {w["kind"]: w for w in agent.diagnostics["warnings"]}
    assert found[kind]["population"] == ""
    assert field in found[kind]["message"]
    agent.save(tmp_path / "agent.npz")
    again = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert again.diagnostics["warnings"] == agent.diagnostics["warnings"]


def test_a_healthy_file_has_nothing_more() -> None:
    agent = SpikingActorCritic("CartPole-v1", seed=1, actors=1, hidden=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PopulationWarning)
        agent.learn(total_episodes=20)
    assert "diagnostics.returns" not in agent.state()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 105))
def test_small_weights_that_grow_are_no_drift(seed: int) -> None:
    agent = SpikingActorCritic("FrozenLake-v1", backend="native", seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PopulationWarning)
        agent.learn(total_steps=60_000)
    agent.close()
