"""List the runs to train, before anything is made or written, and summarise them afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

import numpy as np

from neurorl.agents.budget import joint_budget
from neurorl.agents.checkpoint import digest
from neurorl.agents.episodes import Episode
from neurorl.agents.group import AgentGroup
from neurorl.diagnostics.monitor import Finding
from neurorl.diagnostics.outcome import RunVerdict, mean_of
from neurorl.models.agent.config import AgentConfig
from neurorl.runs.config import Options, RunConfig, check_alike
from neurorl.runs.directory import RunDirectory
from neurorl.storage.plain import PlainData


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
    looks: list[PlainData]
    run: str
    digest: str
    warnings: list[Finding]
    verdict: PlainData


def summary(
    config: RunConfig, group: AgentGroup, k: int, run: RunDirectory, verdict: RunVerdict
) -> Summary:
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
        "mean_return_last_100": mean_of([e.ret for e in last]),
        "mean_discounted_return_last_100": mean_of([e.discounted for e in last]),
        "solved_at_episode": solved_at(played, group.config),
        "looks": [dataclasses.asdict(look) for look in group.looks(k)],
        "run": str(run.path),
        "digest": digest(run.checkpoint),
        "warnings": group.warnings(k),
        "verdict": verdict.to_dict(),
    }


def solved_at(played: list[Episode], config: AgentConfig) -> int | None:
    """Return the episode at which the mean of 100 first reached ``config.solved_at``, or None."""
    if config.solved_at is None or len(played) < 100:
        return None
    returns = [e.discounted if config.solved_discounted else e.ret for e in played]
    means = np.convolve(returns, np.ones(100) / 100, "valid")
    reached = np.flatnonzero(means >= config.solved_at)
    return int(reached[0]) + 100 if len(reached) else None


@dataclass(frozen=True)
class Work:
    """Hold runs of one kind; training any part of them alone gives the same files.

    paths, seeds, has_begun: for each run its directory, its seed and whether it is resumed. config:
    their common configuration, with the budget of all.
    """

    paths: tuple[Path, ...]
    seeds: tuple[int, ...]
    has_begun: tuple[bool, ...]
    config: RunConfig

    def part(self, places: slice) -> Self:
        """Return some of the runs."""
        paths, seeds, has_begun = self.paths[places], self.seeds[places], self.has_begun[places]
        return type(self)(paths, seeds, has_begun, self.config)


def find_work(
    env_id: str, runs: Sequence[tuple[int | None, Path]], resume: bool, options: Options
) -> tuple[Work, list[RunDirectory]]:
    """Return the work to do, and the directories, those of runs that are resumed locked.

    Raises RunError for runs that can't begin or be resumed, or are of different kinds.
    """
    directories = [RunDirectory(path) for _, path in runs]
    has_begun = _which_go_on(directories, resume)
    lock(directories, has_begun)
    try:
        new = "make it by neurorl train, without --resume"
        configs = [
            run.read_config(new).resumed(f"run {run.path}", env_id, seed, options) if old else None
            for run, old, (seed, _) in zip(directories, has_begun, runs, strict=True)
        ]
        resumed = [config for config in configs if config is not None]
        check_alike(resumed)
        config = resumed[0] if resumed else RunConfig.begin(env_id, options)
        config.algorithm.check(backend=config.backend)
        budget = joint_budget([c.budget for c in resumed or [config]])
    except BaseException:
        for run in directories:
            run.close()
        raise
    pairs = zip(runs, configs, strict=True)
    seeds = tuple(seed or 0 if old is None else old.seed for (seed, _), old in pairs)
    paths = tuple(path for _, path in runs)
    return Work(paths, seeds, tuple(has_begun), config.trained_for(budget)), directories


def _which_go_on(runs: Sequence[RunDirectory], resume: bool) -> list[bool]:
    """Return which of the runs are resumed; the others begin."""
    old = [resume and not run.is_free() for run in runs]
    # Of several, some may not have begun when all were killed. What isn't there at all is
    # resumed by mistake.
    if resume and (len(runs) == 1 or not any(run.path.exists() for run in runs)):
        old = [is_old or not run.path.exists() for is_old, run in zip(old, runs, strict=True)]
    return old


def lock(runs: Sequence[RunDirectory], has_begun: Sequence[bool]) -> None:
    """Lock the runs that are resumed.

    Raises RunError for a new run whose directory exists, or if another process trains one.
    """
    try:
        for run, is_old in zip(runs, has_begun, strict=True):
            if not is_old:
                run.check_free()
            elif run.has_begun():
                run.lock()
    except BaseException:
        for run in runs:
            run.close()
        raise
