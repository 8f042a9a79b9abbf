"""Measure training with its environments, and which part of it is the update."""

from __future__ import annotations

import statistics
import time
from typing import Any

from neurorl import ReparameterizedActorCritic


def whole_loop(rounds: int, warm_up: int = 60, episodes: int = 10) -> dict[str, float]:
    """Train CartPole's preset, seed 100; return steps per CPU second and the share of updates.

    warm_up: episodes before, after which they are of some length; then *episodes* in each round.
    """
    agent = ReparameterizedActorCritic("CartPole-v1", seed=100)
    (learner,) = agent._replicas._learners
    spent = 0.0
    learn = learner.learn

    def timed(*arguments: Any) -> None:
        nonlocal spent
        start = time.process_time()
        learn(*arguments)
        spent += time.process_time() - start

    learner.learn = timed  # type: ignore[assignment, method-assign]
    agent.learn(total_episodes=warm_up)
    rates, shares = [], []
    for number in range(1, rounds + 1):
        steps, spent, start = agent._replicas._stage.steps[0], 0.0, time.process_time()
        agent.learn(total_episodes=warm_up + number * episodes)
        total = time.process_time() - start
        rates.append((agent._replicas._stage.steps[0] - steps) / total)
        shares.append(spent / total)
    agent.close()
    return {
        "env_steps_per_s": statistics.median(rates),
        "update_share": statistics.median(shares),
    }
