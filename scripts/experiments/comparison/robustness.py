"""Perturb agents that have learned: what is left, and what going on learning brings back.

The weights of either approach are taken as they are (frozen), or learn on under the perturbation,
by the local rule or by gradients. What is done stays in ``OUT/NAME/seedN``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import Task
from experiments.comparison.efficiency import read_trained
from experiments.comparison.perturbations import Perturbation, perturbed
from experiments.comparison.sources import APPROACHES
from experiments.gradients import done, played
from experiments.run import Plan, run_path
from experiments.tables import episodes_to_threshold
from neurorl.agents.episodes import Episode
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.runs.training import train_seeds

FIRST = 10
"""Average over this many episodes, at the beginning and until the threshold is reached."""

EVALUATION_EPISODES = {"cartpole": 20, "gridworld": 200, "mountaincar": 20}

RECOVERED = {
    "cartpole": {
        "none": 30,
        "lesion-75": 30,
        "lesion-90": 100,
        "length-0.1": 100,
        "escape-4": 100,
        "weights-200": 30,
        "seen-0.2": 50,
    },
    "gridworld": {"lesion-90": 100},
    "mountaincar": {
        "lesion-75": 100,
        "lesion-90": 100,
        "escape-4": 100,
        "weights-200": 100,
        "engine-0.8": 100,
    },
}
"""Map the perturbations under which agents learn on to their episodes; under others they are only
evaluated."""

BOTH = {"cartpole": ("lesion-90", "length-0.1"), "mountaincar": ("lesion-90", "engine-0.8")}
"""List the perturbations under which gradients learn on too, which takes some ten times as long."""

ON_CHIP = {"cartpole": ("lesion-90",), "mountaincar": ("lesion-90",)}
"""List the perturbations that are also tried in chip arithmetic, where only the local rule
learns."""

_APPROACH = {"local": "local", "gradients": "reparameterization"}


@dataclass(frozen=True)
class Case:
    """Say by which approach the weights were learned (start), and who learns on (or ``none``)."""

    perturbation: Perturbation
    start: str
    learner: str
    arithmetic: str = "float"

    @property
    def task(self) -> Task:
        return self.perturbation.task

    @property
    def name(self) -> str:
        chip = "-chip" * find_arithmetic(self.arithmetic).is_chip
        return f"{self.start_name}-then-{self.learner}{chip}"

    @property
    def start_name(self) -> str:
        return f"{self.task.name}-{self.perturbation.name}-{self.start}"


@dataclass(frozen=True)
class RecoveryPoint:
    """Hold quantiles over seeds, in the *episode*-th of learning on, counted from 1."""

    perturbation: str
    task: str
    arithmetic: str
    start: str
    learner: str
    episode: int
    mean: float
    lower_quartile: float
    upper_quartile: float


@dataclass(frozen=True)
class RecoveryRow:
    """Hold one seed of a case. Figures are of the task's kind: discounted or not.

    greedy: played after learning on, or at once if nobody does. first, last: means of so many
    episodes of learning on. recovered: episodes until the mean of so many reached the task's
    threshold, and environment steps; None if it never did.
    """

    task: str
    perturbation: str
    arithmetic: str
    start: str
    learner: str
    seed: int
    greedy: float
    first: float | None
    last: float | None
    recovered: int | None
    steps: int | None
    episodes: int
    env_steps: int
    evaluation_episodes: int


def cases(perturbations: Sequence[Perturbation]) -> list[Case]:
    """Return cases of all starts, by every learner where agents learn on, and in chip integers."""
    result = []
    for p in perturbations:
        learners = ["local"] if p.name in RECOVERED.get(p.task.name, {}) else []
        learners += ["gradients"] if p.name in BOTH.get(p.task.name, ()) else []
        for start in APPROACHES:
            result += [Case(p, start, learner) for learner in ("none", *learners)]
            if p.name in ON_CHIP.get(p.task.name, ()):
                result += [Case(p, start, learner, "loihi") for learner in ("none", "local")]
    return result


def recover(
    case: Case,
    plan: Plan,
    runs: Sequence[Path],
    callback: Callable[[Episode], None] | None = None,
) -> list[RecoveryRow]:
    """Return a row for each seed of *plan*. runs: what they begin with, before the perturbation."""
    starts = run_path(plan, f"{case.start_name}/start", plan.seeds[0]).parent
    begun = [
        perturbed(run, case.perturbation, starts / f"seed{seed}")
        for seed, run in zip(plan.seeds, runs, strict=True)
    ]
    if case.learner == "none":
        return [_row(case, plan, s, path) for s, path in zip(plan.seeds, begun, strict=True)]
    episodes = plan.episodes or RECOVERED[case.task.name][case.perturbation.name]
    paths = {seed: run_path(plan, case.name, seed) for seed in plan.seeds}
    todo = [(seed, path) for seed, path in paths.items() if done(path) < episodes]
    if todo:
        train_seeds(
            case.perturbation.env or case.task.env,
            todo,
            approach=_APPROACH[case.learner],
            backend=plan.backend_for(_APPROACH[case.learner]),
            arithmetic=case.arithmetic,
            episodes=episodes,
            resume=any(path.exists() for _, path in todo),
            start=starts,
            callback=callback,
        )
    return [_row(case, plan, seed, path) for seed, path in paths.items()]


def recovery_curve(case: Case, plan: Plan) -> list[RecoveryPoint]:
    """Return the quantiles by episode of learning on; each value is one seed's episode."""
    paths = [run_path(plan, case.name, seed) for seed in plan.seeds]
    returns = np.array([read_trained(case.task, path).returns for path in paths])
    lower, upper = np.quantile(returns, [0.25, 0.75], axis=0)
    who = (case.perturbation.name, case.task.name, case.arithmetic, case.start, case.learner)
    columns = (returns.mean(axis=0), lower, upper)
    return [
        RecoveryPoint(*who, k, *map(float, figures))
        for k, figures in enumerate(zip(*columns, strict=True), 1)
    ]


def _row(case: Case, plan: Plan, seed: int, path: Path) -> RecoveryRow:
    task = case.task
    episodes = plan.evaluation_episodes or EVALUATION_EPISODES[task.name]
    play = played(task, replace(plan, evaluation_episodes=episodes), seed, path, case.arithmetic)
    learned = read_trained(task, path) if case.learner != "none" else None
    returns: Any = learned.returns if learned else []
    recovered = episodes_to_threshold(returns, task.threshold, FIRST) if learned else None
    return RecoveryRow(
        task=task.name,
        perturbation=case.perturbation.name,
        arithmetic=case.arithmetic,
        start=case.start,
        learner=case.learner,
        seed=seed,
        greedy=play["mean_discounted_return" if task.discounted else "mean_return"],
        first=float(np.mean(returns[:FIRST])) if learned else None,
        last=float(np.mean(returns[-FIRST:])) if learned else None,
        recovered=recovered,
        steps=int(learned.steps[recovered - 1]) if learned and recovered else None,
        episodes=len(returns),
        env_steps=learned.total if learned else 0,
        evaluation_episodes=episodes,
    )
