"""Run the second approach on the tasks of the first: training, play on the chip, tables.

The preset of a task is trained by gradients in float arithmetic and played in both. From each of
these runs, others go on in chip arithmetic: by gradients that know of it, or by the local rule.
What is done stays in ``OUT/NAME/seedN``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import CARTPOLE, GRIDWORLD, MOUNTAINCAR, Task
from experiments.run import Plan, evaluation_seed, run_path
from experiments.tables import episodes_to_threshold
from neurorl.agents.episodes import Episode
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.lab.compare import WINDOW
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train_seeds
from neurorl.storage.files import make_folder, write_json


@dataclass(frozen=True)
class GradientExperiment:
    """Describe the preset *model* of a task, learned by gradients.

    arithmetic: in which its weights act while they learn.
    start: the experiment whose runs of the same seeds it begins with; None for none. gradient,
    overrides: fields of `GradientConfig` and of `AgentConfig` that aren't the preset's.
    """

    name: str
    task: Task
    model: str
    arithmetic: str
    episodes: int
    approach: str = "reparameterization"
    start: str | None = None
    gradient: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GradientRow:
    """Hold one seed. greedy and on_chip are of the task's kind: discounted or not.

    greedy: played in float arithmetic, if it was trained in it; on_chip: in the chip's. last_100,
    episodes_to_threshold: of training; steps_to_threshold: environment steps until then.
    """

    seed: int
    greedy: float | None
    on_chip: float
    last_100: float
    episodes_to_threshold: int | None
    steps_to_threshold: int | None
    episodes: int
    env_steps: int
    evaluation_episodes: int
    spikes_per_decision: float
    synops_per_decision: float


# Episodes from the beginning, and of those that go on from there in chip arithmetic.
_EPISODES = ((GRIDWORLD, 500, 100), (CARTPOLE, 200, 20), (MOUNTAINCAR, 900, 30))


def _experiments(task: Task, episodes: int, more: int) -> tuple[GradientExperiment, ...]:
    name = f"{task.name}-lif-gradients"
    fine = {"learning_rate": 3e-4, "rate_end": 0.1, "rate_episodes": more}
    on = GradientExperiment(f"{name}-chip", task, "lif", "loihi", more, start=name, gradient=fine)
    local = GradientExperiment(f"{name}-then-local-chip", task, "lif", "loihi", more, "local", name)
    glm = GradientExperiment(f"{task.name}-glm-gradients", task, "glm", "float", episodes)
    return GradientExperiment(name, task, "lif", "float", episodes), on, local, glm


GRADIENTS = tuple(e for each in _EPISODES for e in _experiments(*each))


def find(
    experiment: GradientExperiment, plan: Plan, callback: Callable[[Episode], None] | None = None
) -> list[GradientRow]:
    """Train what isn't trained yet, play what wasn't played yet; a row for each seed."""
    episodes = plan.episodes or experiment.episodes
    paths = {seed: run_path(plan, experiment.name, seed) for seed in plan.seeds}
    todo = [(seed, path) for seed, path in paths.items() if done(path) < episodes]
    if todo:
        train_seeds(
            experiment.task.env,
            todo,
            approach=experiment.approach,
            backend=plan.backend_for(experiment.approach),
            arithmetic=experiment.arithmetic,
            model=experiment.model,
            episodes=episodes,
            resume=any(path.exists() for _, path in todo),
            start=plan.out / experiment.start if experiment.start else None,
            gradient=experiment.gradient,
            overrides=experiment.overrides,
            callback=callback,
        )
    return [_row(experiment, plan, seed, path) for seed, path in paths.items()]


def done(path: Path) -> int:
    """Return the episodes of a run that is complete, else 0."""
    file = RunDirectory(path).summary
    return int(json.loads(file.read_text())["episodes"]) if file.exists() else 0


def _row(experiment: GradientExperiment, plan: Plan, seed: int, path: Path) -> GradientRow:
    task = experiment.task
    arithmetics = ("float", "loihi") if experiment.arithmetic == "float" else ("loihi",)
    play = {a: played(task, plan, seed, path, a) for a in arithmetics}
    figure = "mean_discounted_return" if task.discounted else "mean_return"
    columns = RunDirectory(path).read_episodes()
    returns = columns["discounted_return" if task.discounted else "return"]
    reached = episodes_to_threshold(returns, task.threshold)
    shown = play[experiment.arithmetic]
    return GradientRow(
        seed=seed,
        greedy=play["float"][figure] if "float" in play else None,
        on_chip=play["loihi"][figure],
        last_100=float(np.mean(returns[-WINDOW:])),
        episodes_to_threshold=reached,
        steps_to_threshold=None if reached is None else int(columns["env_steps"][reached - 1]),
        episodes=len(returns),
        env_steps=int(columns["env_steps"][-1]),
        evaluation_episodes=shown["episodes"],
        spikes_per_decision=shown["spikes_per_decision"],
        synops_per_decision=shown["synops_per_decision"],
    )


def played(task: Task, plan: Plan, seed: int, path: Path, arithmetic: str) -> dict[str, Any]:
    """Return the greedy play in an arithmetic, from the run's directory if it is there already."""
    episodes = plan.evaluation_episodes or task.evaluation_episodes
    same = {"trained_episodes": done(path), "episodes": episodes, "seed": evaluation_seed(seed)}
    file = path / f"evaluation-{arithmetic}.json"
    if file.exists():
        stored: dict[str, Any] = json.loads(file.read_text())
        if {key: stored.get(key) for key in same} == same:
            return stored
    agent, chosen = load_to_play(path, plan.backend or "native", arithmetic)
    result = evaluate(agent, episodes, seed=same["seed"], **chosen)
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
    from experiments.tables import write_table

    for experiment in experiments:
        episodes = (plan.episodes or experiment.episodes) * len(plan.seeds)
        rows = find(experiment, plan, begin(experiment.name, episodes))
        path = results / f"{experiment.name}.csv"
        make_folder(path.parent)
        write_table(path, rows)
        show(f"{path}: {summary(experiment, rows)}")


def summary(experiment: GradientExperiment, rows: Sequence[GradientRow]) -> str:
    """Format the means and the worst seeds in a line."""
    digits, shown = experiment.task.digits, []
    for name, arithmetic in (("greedy", "float"), ("on_chip", "chip")):
        values = [getattr(row, name) for row in rows if getattr(row, name) is not None]
        if values:
            shown.append(f"{arithmetic} {np.mean(values):.{digits}f} ({min(values):.{digits}f})")
    floor = experiment.task.floor
    failures = [r.seed for r in rows if (r.on_chip if r.greedy is None else r.greedy) < floor]
    reached = [r.steps_to_threshold for r in rows if r.steps_to_threshold is not None]
    steps = f"{np.median(reached):,.0f}" if reached else "never"
    return (
        f"greedy in {', '.join(shown)}; env steps to the threshold {steps} ({len(reached)} of "
        f"{len(rows)}), in all {np.mean([r.env_steps for r in rows]):,.0f}; failures {failures}"
    )
