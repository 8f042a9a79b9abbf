"""Find the trained agents of both approaches; train those that aren't there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments import gradients, run
from experiments.catalogue import EXPERIMENTS, Experiment, Task
from experiments.gradients import GRADIENTS, GradientExperiment
from experiments.run import Plan
from neurorl.agents.episodes import Episode

APPROACHES = ("local", "gradients")

Begin = Callable[[str, int], Callable[[Episode], None]]


@dataclass(frozen=True)
class Source:
    """Name an experiment of either approach."""

    experiment: Experiment | GradientExperiment

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def task(self) -> Task:
        return self.experiment.task

    @property
    def model(self) -> str:
        return self.experiment.model

    @property
    def approach(self) -> str:
        return "local" if isinstance(self.experiment, Experiment) else "gradients"

    @property
    def how(self) -> str:
        """Return what the weights learn by."""
        return self.experiment.rule if isinstance(self.experiment, Experiment) else "gradients"


@dataclass(frozen=True)
class Agent:
    """Hold a run directory, and its greedy play (`neurorl.agents.evaluation.evaluate`)."""

    path: Path
    evaluation: dict[str, Any]

    def figure(self, task: Task) -> float:
        """Return the return of the task's kind: discounted or not."""
        key = "mean_discounted_return" if task.discounted else "mean_return"
        return float(self.evaluation[key])


@dataclass(frozen=True)
class Sources:
    """Hold the plan (seeds, episodes, backend), and where the runs of each approach are."""

    plan: Plan
    local: Path
    gradients: Path

    def train(self, source: Source, begin: Begin) -> list[Agent]:
        """Return the agents of a source, by seed; train and play them greedily if needed."""
        e = source.experiment
        plan = replace(self.plan, out=self.local if isinstance(e, Experiment) else self.gradients)
        paths = [run.run_path(plan, e.name, seed) for seed in plan.seeds]
        if isinstance(e, Experiment):
            total = plan.episodes_of(e) * len(plan.seeds)
            evaluations = run.run(e, plan, begin(e.name, total))
        else:
            total = (plan.episodes or e.episodes) * len(plan.seeds)
            gradients.find(e, plan, begin(e.name, total))
            evaluations = [
                gradients.played(e.task, plan, seed, path, e.arithmetic)
                for seed, path in zip(plan.seeds, paths, strict=True)
            ]
        return [Agent(*both) for both in zip(paths, evaluations, strict=True)]


def sources_of(task: Task, model: str) -> list[Source]:
    """Return the preset's own rule first, then others, then gradients; all in float arithmetic."""
    local = [
        Source(e)
        for e in EXPERIMENTS
        if e.task == task and e.model == model and e.arithmetic == "float"
    ]
    learned = [
        Source(e)
        for e in GRADIENTS
        if e.task == task and e.model == model and e.arithmetic == "float" and e.start is None
    ]
    return [*local, *learned]
