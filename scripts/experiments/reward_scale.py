"""Vary `AgentConfig.reward_scale` on a task without a preset: FrozenLake, not slippery."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from neurorl.agents.evaluation import evaluate
from neurorl.agents.local import SpikingActorCritic

SCALES = (0.02, 1.0)
_SEEDS = tuple(range(100, 105))


@dataclass(frozen=True)
class Scaled:
    """Hold one agent: mean return of its last 100 training episodes, and in greedy play."""

    reward_scale: float
    seed: int
    episodes: int
    last_100: float
    greedy: float


def measure(episodes: int = 500, backend: str = "native", played: int = 100) -> list[Scaled]:
    """Return a row for each scale and seed, of the default LIF network."""
    rows = []
    for scale in SCALES:
        for seed in _SEEDS:
            env = gym.make("FrozenLake-v1", is_slippery=False)
            # With hidden units, as in other networks; the default of numbered states has none.
            agent = SpikingActorCritic(
                env, backend=backend, seed=seed, hidden=8, reward_scale=scale
            )
            agent.learn(total_episodes=episodes)
            last = float(np.mean([e.ret for e in agent.episodes[-100:]]))
            greedy = float(evaluate(agent, played)["mean_return"])
            rows.append(Scaled(scale, seed, episodes, last, greedy))
    return rows
