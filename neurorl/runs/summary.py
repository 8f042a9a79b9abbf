"""What a run came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from neurorl.agents.checkpoint import digest
from neurorl.agents.episodes import Episode
from neurorl.models.config import AgentConfig
from neurorl.runs.algorithms import Agents
from neurorl.runs.directory import RunDirectory

__all__ = ["solved_at", "summary"]


def summary(options: dict[str, Any], replicas: Agents, k: int, run: RunDirectory) -> dict[str, Any]:
    """Return the summary of a run of agent k; see `neurorl.runs.training.train_seeds`."""
    played = replicas.episodes[k]
    last = played[-100:]
    by_steps = options["steps"] is not None
    return {
        "env": options["env"],
        "backend": options["backend"],
        "arithmetic": replicas.arithmetic_name,
        "noise": replicas.noise,
        "model": replicas.config.model,
        "approach": replicas.approach,
        "seed": replicas.seeds[k],
        "episodes": len(played),
        "env_steps": replicas.steps_taken(k) if by_steps else replicas.env_steps(k),
        "mean_return_last_100": _mean([e.ret for e in last]),
        "mean_discounted_return_last_100": _mean([e.discounted for e in last]),
        "solved_at_episode": solved_at(played, replicas.config),
        "run": str(run.path),
        "digest": digest(run.checkpoint),
        "warnings": replicas.warnings(k),
    }


def solved_at(played: list[Episode], config: AgentConfig) -> int | None:
    """Episodes until the mean of 100 in a row first reached ``config.solved_at``; None if never."""
    if config.solved_at is None or len(played) < 100:
        return None
    returns = [e.discounted if config.solved_discounted else e.ret for e in played]
    means = np.convolve(returns, np.ones(100) / 100, "valid")
    reached = np.flatnonzero(means >= config.solved_at)
    return int(reached[0]) + 100 if len(reached) else None


def _mean(numbers: Sequence[float]) -> float | None:
    """None of none, and where it would not be a finite number."""
    with np.errstate(over="ignore"):
        mean = float(np.mean(numbers)) if len(numbers) else math.inf
    return mean if math.isfinite(mean) else None
