"""Test that agents learn: small versions for every change, the full size under ``-m slow``.

All seeds count. The full figures, with more seeds, come from scripts/learning.py. The small ones
run on native, which has the reference's bits and a tenth of its time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.tasks.environments import optimal_return

GRID = "neurorl/GridWorld-v0"
BACKENDS = ("reference", "native", "loihi")


def grid_return(episodes: int, **options: Any) -> float:
    agent = SpikingActorCritic(GRID, **options)
    agent.learn(total_episodes=episodes)
    result = evaluate(agent, 200, seed=agent.seed)
    return float(result["mean_discounted_return"]) / optimal_return()


@pytest.mark.parametrize(
    ("model", "backend", "episodes"),
    [("lif", "native", 150), ("lif", "loihi", 150), ("glm", "native", 300)],
)
def test_gridworld_is_learned(model: str, backend: str, episodes: int) -> None:
    assert grid_return(episodes, model=model, backend=backend, seed=1) > 0.85


def test_without_the_rule_nothing_is_learned() -> None:
    """An agent whose weights never change fails: so the measure above can fail."""
    still = grid_return(5, backend="native", seed=1, alpha_output=0.0, alpha_hidden=0.0)
    assert still < 0.3


@pytest.mark.parametrize("model", ["lif", "glm"])
def test_cartpole_improves(model: str) -> None:
    agent = SpikingActorCritic("CartPole-v1", backend="native", model=model, seed=1)
    returns = [e.ret for e in agent.learn(total_episodes=70)]
    assert np.mean(returns[:10]) < 60
    assert np.mean(returns[-10:]) > 200


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("backend", BACKENDS)
def test_gridworld_within_400_episodes(backend: str, seed: int) -> None:
    assert grid_return(400, backend=backend, seed=seed) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("backend", BACKENDS)
def test_cartpole_above_400(backend: str, seed: int) -> None:
    agent = SpikingActorCritic("CartPole-v1", backend=backend, seed=seed)
    agent.learn(total_episodes=160)
    assert evaluate(agent, 100, seed=seed)["mean_return"] > 400


def test_memory_pays_where_velocities_are_not_shown() -> None:
    """The preset of CartPole without velocities beats itself silenced before every decision."""
    last = {}
    for carries in (True, False):
        agent = SpikingActorCritic(
            "neurorl/PositionOnlyCartPole-v0", backend="native", seed=100, carries=carries
        )
        last[carries] = float(np.mean([e.ret for e in agent.learn(total_episodes=1000)][-100:]))
    assert last[True] > 200
    assert last[False] < 100
