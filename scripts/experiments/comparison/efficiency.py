"""Return against environment steps, of every rule and of gradients on the same network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.catalogue import Experiment, Task
from experiments.comparison.sources import Agent, Source
from experiments.gradients import done, played
from experiments.run import Plan
from experiments.tables import episodes_to_threshold
from neurorl.lab.compare import WINDOW, running_mean
from neurorl.numerics.arrays import FloatArray
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train_seeds

SHORT = 20
"""Average curves and areas over this many episodes; `WINDOW` would show changes too late."""

POINTS = 200
_COSTS = ("spikes_per_decision", "synops_per_decision")


@dataclass(frozen=True)
class Trained:
    """Hold a run's training by episode: when it ended and its figure."""

    steps: FloatArray
    returns: FloatArray

    @property
    def total(self) -> int:
        return int(self.steps[-1])


@dataclass(frozen=True)
class EfficiencyRow:
    """Hold one seed of one source; figures are of the task's kind: discounted or not.

    steps_to_threshold: environment steps until the mean of 100 episodes in a row reached the
    task's threshold, short_steps: until that of 20 did; None if never. area: mean over environment
    steps of the running mean of 20, up to *budget* steps, the fewest of any seed of the preset's
    rule and of gradients; None for a source with fewer. greedy: played at the end; greedy_at: of
    seeds that were trained on for longer than the gradients of the same seed, as they were after
    *at_steps* steps, when these had as many.
    """

    experiment: str
    approach: str
    rule: str
    seed: int
    env_steps: int
    steps_to_threshold: int | None
    short_steps: int | None
    budget: int
    area: float | None
    greedy: float
    at_steps: int | None
    greedy_at: float | None
    spikes_per_decision: float
    synops_per_decision: float
    energy_per_decision_nj: float


@dataclass(frozen=True)
class StepPoint:
    """Hold quantiles over seeds, after *env_steps* steps, of the running mean of 20 episodes."""

    env_steps: int
    mean: float
    lower_quartile: float
    upper_quartile: float


def read_trained(task: Task, path: Path) -> Trained:
    """Read a run's training."""
    columns = RunDirectory(path).read_episodes()
    returns = columns["discounted_return" if task.discounted else "return"]
    return Trained(np.array(columns["env_steps"]), np.array(returns))


def cut(trained: Trained, steps: int) -> int:
    """Return the episodes that had ended after *steps* environment steps."""
    return int(np.searchsorted(trained.steps, steps, side="right"))


def _at(trained: Trained, grid: FloatArray) -> FloatArray:
    """Return the running mean after so many steps; before the first end, that episode's."""
    means = running_mean(trained.returns, SHORT)
    return np.asarray(means[np.maximum(np.searchsorted(trained.steps, grid, side="right") - 1, 0)])


def area(trained: Trained, budget: int) -> float | None:
    """Average the running mean over the first *budget* steps; return None if there were fewer."""
    if trained.total < budget:
        return None
    return float(_at(trained, np.linspace(0, budget, POINTS + 1)[1:]).mean())


def step_curve(runs: Sequence[Trained]) -> list[StepPoint]:
    """Return mean and quartiles over runs, as far as all of them went."""
    grid = np.linspace(0, min(t.total for t in runs), POINTS + 1)[1:]
    means = np.array([_at(t, grid) for t in runs])
    lower, upper = np.quantile(means, [0.25, 0.75], axis=0)
    columns = (grid, means.mean(axis=0), lower, upper)
    return [
        StepPoint(round(s), float(m), float(a), float(b))
        for s, m, a, b in zip(*columns, strict=True)
    ]


def efficiency(
    source: Source,
    plan: Plan,
    agents: Sequence[Agent],
    budget: int,
    at: Sequence[tuple[int, float] | None],
) -> list[EfficiencyRow]:
    """Return a row for each seed. at: of each, greedy play after so many steps."""
    rows = []
    for seed, agent, then in zip(plan.seeds, agents, at, strict=True):
        run = read_trained(source.task, agent.path)
        reached, soon = (
            episodes_to_threshold(run.returns, source.task.threshold, window)
            for window in (WINDOW, SHORT)
        )
        rows.append(
            EfficiencyRow(
                experiment=source.name,
                approach=source.approach,
                rule=source.how,
                seed=seed,
                env_steps=run.total,
                steps_to_threshold=None if reached is None else int(run.steps[reached - 1]),
                short_steps=None if soon is None else int(run.steps[soon - 1]),
                budget=budget,
                area=area(run, budget),
                greedy=agent.figure(source.task),
                at_steps=then[0] if then else None,
                greedy_at=then[1] if then else None,
                energy_per_decision_nj=1e9 * float(agent.evaluation["energy_per_decision_j"]),
                **{key: float(agent.evaluation[key]) for key in _COSTS},
            )
        )
    return rows


def greedy_at(
    source: Source, plan: Plan, trained: Sequence[Trained], others: Sequence[Trained]
) -> list[tuple[int, float] | None]:
    """Return the greedy play after as many environment steps as the *others* took in all.

    Of a source whose rate doesn't depend on how long it will go on: each seed is trained again, to
    the last episode that had ended then, in ``OUT/NAME-cut/seedN``. None for a seed that took no
    more steps than the other.
    """
    assert isinstance(source.experiment, Experiment)
    figures: list[tuple[int, float] | None] = []
    for seed, own, other in zip(plan.seeds, trained, others, strict=True):
        episodes = cut(own, other.total)
        if not 0 < episodes < len(own.steps):
            figures.append(None)
            continue
        path = plan.out / f"{source.name}-cut" / f"seed{seed}"
        if done(path) < episodes:
            e = source.experiment
            train_seeds(
                e.task.env,
                [(seed, path)],
                backend=plan.backend_of(e),
                arithmetic=e.arithmetic,
                model=e.model,
                episodes=episodes,
                overrides=e.overrides,
                resume=path.exists(),
            )
        result = played(source.task, plan, seed, path, "float")
        figure = "mean_discounted_return" if source.task.discounted else "mean_return"
        figures.append((int(own.steps[episodes - 1]), float(result[figure])))
    return figures
