"""Summarise a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from neurorl.agents.checkpoint import digest
from neurorl.agents.episodes import Episode
from neurorl.agents.group import AgentGroup
from neurorl.diagnostics.monitor import Finding
from neurorl.models.agent.config import AgentConfig
from neurorl.runs.config import RunConfig
from neurorl.runs.directory import RunDirectory


class Summary(TypedDict):
    """Hold the results of a run; see `neurorl.runs.training.train_seeds`."""

    env: str
    backend: str
    arithmetic: str
    noise: str
    model: str
    approach: str
    seed: int
    episodes: int
    env_steps: int
    first_play_steps: int
    mean_return_last_100: float | None
    mean_discounted_return_last_100: float | None
    solved_at_episode: int | None
    run: str
    digest: str
    warnings: list[Finding]


def summary(config: RunConfig, group: AgentGroup, k: int, run: RunDirectory) -> Summary:
    """Return the results of agent k's run."""
    played = group.episodes[k]
    last = played[-100:]
    by_steps, first = config.budget.steps is not None, group.config.first_play_steps
    return {
        "env": config.env,
        "backend": config.backend,
        "arithmetic": group.arithmetic_name,
        "noise": group.noise,
        "model": group.config.model,
        "approach": group.algorithm.name,
        "seed": group.seeds[k],
        "episodes": len(played),
        "env_steps": first + (group.steps_taken(k) if by_steps else group.env_steps(k)),
        "first_play_steps": first,
        "mean_return_last_100": _mean([e.ret for e in last]),
        "mean_discounted_return_last_100": _mean([e.discounted for e in last]),
        "solved_at_episode": solved_at(played, group.config),
        "run": str(run.path),
        "digest": digest(run.checkpoint),
        "warnings": group.warnings(k),
    }


def solved_at(played: list[Episode], config: AgentConfig) -> int | None:
    """Return the episode at which the mean of 100 first reached ``config.solved_at``, or None."""
    if config.solved_at is None or len(played) < 100:
        return None
    returns = [e.discounted if config.solved_discounted else e.ret for e in played]
    means = np.convolve(returns, np.ones(100) / 100, "valid")
    reached = np.flatnonzero(means >= config.solved_at)
    return int(reached[0]) + 100 if len(reached) else None


def _mean(numbers: Sequence[float]) -> float | None:
    """Return the mean; None without numbers, or if it isn't finite."""
    with np.errstate(over="ignore"):
        mean = float(np.mean(numbers)) if len(numbers) else math.inf
    return mean if math.isfinite(mean) else None
