"""The second approach on the tasks of the first: training, play on the chip, tables.

Each experiment is the preset of a task, trained by gradients in float or in chip arithmetic; its
runs are played greedily in both arithmetics. What is done stays in ``OUT/NAME/seedN``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.evaluation import evaluate, load_to_play
from neurorl.files import write_json
from neurorl.replicas import Episode
from neurorl.reproduce.experiments import CARTPOLE, GRIDWORLD, MOUNTAINCAR, Task
from neurorl.reproduce.run import Plan, evaluation_seed, run_path
from neurorl.reproduce.statistics import WINDOW, episodes_to_threshold
from neurorl.rundir import RunDirectory
from neurorl.training import train_seeds

__all__ = ["GRADIENTS", "GradientExperiment", "GradientRow", "find", "reproduce"]


@dataclass(frozen=True)
class GradientExperiment:
    """The preset *model* of a task by gradients; arithmetic: in which its weights act.

    local: the experiment of the same network and arithmetic by the local rule.
    """

    name: str
    task: Task
    model: str
    arithmetic: str
    episodes: int

    @property
    def local(self) -> str:
        chip = "-chip" if self.arithmetic == "loihi" else ""
        return f"{self.task.name}-{self.model}{chip}"


@dataclass(frozen=True)
class GradientRow:
    """Figures of one seed. greedy and on_chip are of the task's kind: discounted or not.

    greedy: played in float arithmetic, on_chip in the chip's. last_100, episodes_to_threshold: of
    training; steps_to_threshold: environment steps until then.
    """

    seed: int
    greedy: float
    on_chip: float
    last_100: float
    episodes_to_threshold: int | None
    steps_to_threshold: int | None
    episodes: int
    env_steps: int
    evaluation_episodes: int
    spikes_per_decision: float
    synops_per_decision: float


_EPISODES = ((GRIDWORLD, 500), (CARTPOLE, 200), (MOUNTAINCAR, 900))

GRADIENTS = tuple(
    GradientExperiment(
        name=f"{task.name}-lif-gradients" + ("-chip" if arithmetic == "loihi" else ""),
        task=task,
        model="lif",
        arithmetic=arithmetic,
        episodes=episodes,
    )
    for task, episodes in _EPISODES
    for arithmetic in ("float", "loihi")
)


def find(
    experiment: GradientExperiment, plan: Plan, callback: Callable[[Episode], None] | None = None
) -> list[GradientRow]:
    """Train what isn't trained yet, play what wasn't played yet; a row for each seed."""
    episodes = plan.episodes or experiment.episodes
    paths = {seed: run_path(plan, experiment.name, seed) for seed in plan.seeds}
    todo = [(seed, path) for seed, path in paths.items() if _done(path) < episodes]
    if todo:
        train_seeds(
            experiment.task.env,
            todo,
            approach="reparameterization",
            arithmetic=experiment.arithmetic,
            model=experiment.model,
            episodes=episodes,
            resume=any(path.exists() for _, path in todo),
            callback=callback,
        )
    return [_row(experiment, plan, seed, path) for seed, path in paths.items()]


def _done(path: Path) -> int:
    file = RunDirectory(path).summary
    return int(json.loads(file.read_text())["episodes"]) if file.exists() else 0


def _row(experiment: GradientExperiment, plan: Plan, seed: int, path: Path) -> GradientRow:
    task = experiment.task
    played = {a: _played(task, plan, seed, path, a) for a in ("float", "loihi")}
    figure = "mean_discounted_return" if task.discounted else "mean_return"
    columns = RunDirectory(path).read_episodes()
    returns = columns["discounted_return" if task.discounted else "return"]
    reached = episodes_to_threshold(returns, task.threshold)
    shown = played[experiment.arithmetic]
    return GradientRow(
        seed=seed,
        greedy=played["float"][figure],
        on_chip=played["loihi"][figure],
        last_100=float(np.mean(returns[-WINDOW:])),
        episodes_to_threshold=reached,
        steps_to_threshold=None if reached is None else int(columns["env_steps"][reached - 1]),
        episodes=len(returns),
        env_steps=int(columns["env_steps"][-1]),
        evaluation_episodes=shown["episodes"],
        spikes_per_decision=shown["spikes_per_decision"],
        synops_per_decision=shown["synops_per_decision"],
    )


def _played(task: Task, plan: Plan, seed: int, path: Path, arithmetic: str) -> dict[str, Any]:
    """Greedy play in an arithmetic, from the run's directory if it is there already."""
    episodes = plan.evaluation_episodes or task.evaluation_episodes
    same = {"trained_episodes": _done(path), "episodes": episodes, "seed": evaluation_seed(seed)}
    file = path / f"evaluation-{arithmetic}.json"
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        if {key: found.get(key) for key in same} == same:
            return found
    agent, backend, _ = load_to_play(path, plan.backend or "brian2", arithmetic)
    result = evaluate(agent, episodes, seed=same["seed"], backend=backend, arithmetic=arithmetic)
    agent.close()
    write_json(file, {**result, **same})
    return {**result, **same}


def reproduce(
    experiments: Sequence[GradientExperiment],
    plan: Plan,
    results: Path,
    begin: Callable[[str, int], Callable[[Episode], None]],
    show: Callable[[str], None],
) -> None:
    """Find, write ``results/NAME.csv`` and show a line for each experiment."""
    from neurorl.reproduce.tables import write_table

    for experiment in experiments:
        episodes = (plan.episodes or experiment.episodes) * len(plan.seeds)
        rows = find(experiment, plan, begin(experiment.name, episodes))
        path = results / f"{experiment.name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, rows)
        show(f"{path}: {summary(experiment, rows)}")


def summary(experiment: GradientExperiment, rows: Sequence[GradientRow]) -> str:
    """The means, in a line."""
    digits, worst = experiment.task.digits, {}
    mine = "on_chip" if experiment.arithmetic == "loihi" else "greedy"
    for name in ("greedy", "on_chip"):
        values = [getattr(row, name) for row in rows]
        worst[name] = f"{np.mean(values):.{digits}f} ({min(values):.{digits}f})"
    failures = [row.seed for row in rows if getattr(row, mine) < experiment.task.floor]
    reached = [r.steps_to_threshold for r in rows if r.steps_to_threshold is not None]
    steps = f"{np.median(reached):,.0f}" if reached else "never"
    return (
        f"greedy {worst['greedy']}, on the chip {worst['on_chip']}; env steps to the threshold "
        f"{steps} ({len(reached)} of {len(rows)}), in all "
        f"{np.mean([r.env_steps for r in rows]):,.0f}; failures {failures}"
    )


def fields() -> tuple[str, ...]:
    """Columns of the CSV."""
    return tuple(f.name for f in dataclasses.fields(GradientRow))
