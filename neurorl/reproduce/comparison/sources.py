"""Where trained agents come from: the runs of both approaches, made if they aren't there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from neurorl.errors import unknown
from neurorl.replicas import Episode
from neurorl.reproduce import gradients, run
from neurorl.reproduce.experiments import EXPERIMENTS, Experiment, Task
from neurorl.reproduce.gradients import GRADIENTS, GradientExperiment
from neurorl.reproduce.run import Plan

__all__ = ["APPROACHES", "Source", "Sources", "by_name", "sources_of"]

APPROACHES = ("local", "gradients")

Begin = Callable[[str, int], Callable[[Episode], None]]


@dataclass(frozen=True)
class Source:
    """An experiment of either approach."""

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
        """What the weights learn by."""
        return self.experiment.rule if isinstance(self.experiment, Experiment) else "gradients"


@dataclass(frozen=True)
class Sources:
    """plan: seeds, episodes and backend. local, gradients: where the runs of each approach are."""

    plan: Plan
    local: Path
    gradients: Path

    def train(self, source: Source, begin: Begin) -> list[Path]:
        """The run directories of a source, by seed; trained if they aren't there."""
        e = source.experiment
        plan = replace(self.plan, out=self.local if source.approach == "local" else self.gradients)
        if isinstance(e, Experiment):
            total = plan.episodes_of(e) * len(plan.seeds)
            run.run(e, plan, begin(e.name, total))
        else:
            total = (plan.episodes or e.episodes) * len(plan.seeds)
            gradients.find(e, plan, begin(e.name, total))
        return [run.run_path(plan, e.name, seed) for seed in plan.seeds]


def sources_of(task: Task, model: str) -> list[Source]:
    """The preset's own rule first, then other rules, then gradients; all in float arithmetic."""
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


def by_name(name: str) -> Source:
    """The source of this name. Raises UnknownNameError."""
    found = {e.name: Source(e) for e in (*EXPERIMENTS, *GRADIENTS)}
    if name not in found:
        raise unknown("experiment", name, found)
    return found[name]
