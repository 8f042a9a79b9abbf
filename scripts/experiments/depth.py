"""Measure networks that learn their own features from raw observations, beside their controls.

    python scripts/experiments/depth.py measure [--tasks NAME...] [--learners NAME...] [--seeds 0-4]
                                                [--steps N]
    python scripts/experiments/depth.py table
    python scripts/experiments/depth.py figure

`measure` adds a row for each seed to results/tables/depth.csv, with the mean return of the last 100
training episodes, its curve (after each twentieth of the steps), the mean return of 100 greedy
episodes, and CPU seconds; rows that are there aren't run again. Several processes may measure at
once. `table` writes the tables of docs/depth.md, `figure` its curves.

Learners: `deep` is the preset; `frozen` has its hidden layers as they were drawn; `none` has no
hidden layers, so that it is a linear actor-critic on raw observations. `local` has one dense hidden
layer that learns by local numbers alone, `pool` the same with a normalisation by the layer; other
names change one thing of `local`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from experiments.held_out_tasks import minatar
from neurorl import SpikingActorCritic, evaluate
from neurorl.models.deep.normalisation import Homeostasis, Pool
from neurorl.models.deep.trunk import Shared

__all__ = ["LEARNERS", "TASKS", "Row", "main", "measure", "read"]

FILE = Path("results/tables/depth.csv")
_POINTS, _EPISODES = 20, 100


@dataclass(frozen=True)
class Row:
    """Hold what one seed reached; curve: mean returns after each twentieth of the steps."""

    task: str
    learner: str
    steps: int
    seed: int
    training: float
    greedy: float
    cpu_s: float
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Task:
    """Hold a task; options: of its agents, whatever the learner."""

    make: Callable[[], gym.Env[Any, Any]]
    steps: int
    options: Mapping[str, Any]


def _gym(name: str, steps: int, **options: Any) -> Task:
    return Task(lambda: gym.make(name), steps, options)


TASKS: Mapping[str, Task] = {
    **{
        name: Task(minatar(name), 1_000_000, {})
        for name in ("Breakout", "SpaceInvaders", "Freeway", "Asterix", "Seaquest")
    },
    "CartPole": _gym("CartPole-v1", 100_000),
    "Acrobot": _gym("Acrobot-v1", 100_000),
    "LunarLander": _gym("LunarLander-v3", 600_000),
    "Pendulum": _gym("Pendulum-v1", 200_000, gamma=0.95),
}

_DENSE: dict[str, Any] = {"patches": None}
_POOL: dict[str, Any] = {**_DENSE, "normalisation": Pool(), "centring": 0.0}
_LOCAL: dict[str, Any] = {**_DENSE, "normalisation": Homeostasis(), "centring": 1e-3}
_OF_DENSE: dict[str, Any] = {
    "hidden": 128, "critic.hidden": 128, "alpha_hidden": 2e-4, "alpha_output": 2e-4,
    "critic.alpha": 2e-4, "trunk.entropy": 2e-3,
}

LEARNERS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "deep": ({}, {}),
    "frozen": ({}, {"alpha_hidden": 0.0}),
    "none": (_DENSE, {"hidden": 0, "critic.hidden": 0}),
    "local": (_LOCAL, _OF_DENSE),
    "pool": (_POOL, _OF_DENSE),
    "chip integers": ({}, {"arithmetic": "loihi"}),
    **{
        name: ({**_LOCAL, **of_trunk}, {**_OF_DENSE, **options})
        for name, of_trunk, options in (
            ("local, frozen", {}, {"alpha_hidden": 0.0}),
            ("local, no normalisation", {"normalisation": "none"}, {}),
            ("local, no centring", {"centring": 0.0}, {}),
            ("local, random feedback", {"feedback": "random"}, {}),
            ("local, signs", {"feedback": "signs"}, {}),
            ("local, symmetric", {"feedback": "symmetric"}, {}),
            ("local, plain steps", {"step_size": "plain"}, {}),
            ("local, bounded steps", {"step_size": "bounded"}, {}),
            ("local, entropy 0", {}, {"trunk.entropy": 0.0}),
            ("local, entropy .01", {}, {"trunk.entropy": 0.01}),
            ("local, rewards as they are", {"scales_rewards": False}, {}),
            ("local, lambda 0", {}, {"lambda_actor": 0.0, "critic.lambda_": 0.0}),
            ("local, 32 hidden", {}, {"hidden": 32, "critic.hidden": 32}),
            ("local, 512 hidden", {}, {"hidden": 512, "critic.hidden": 512}),
            ("local, two layers", {}, {"hidden": (128, 64), "critic.hidden": (128, 64)}),
            ("local, 8-bit weights", {}, {"arithmetic": "loihi"}),
        )
    },
}
"""Map each learner to fields of its trunk and to other options."""


def agent_of(task: Task, learner: str, seed: int) -> SpikingActorCritic:
    """Return a learner that has learned nothing."""
    of_trunk, options = LEARNERS[learner]
    env = task.make()
    usual = SpikingActorCritic(env, "deep", seed=seed).config.trunk
    assert isinstance(usual, Shared)
    trunk = replace(usual, **of_trunk)
    return SpikingActorCritic(env, "deep", seed=seed, trunk=trunk, **{**task.options, **options})


def measure(name: str, learner: str, steps: int, seed: int) -> Row:
    """Return the row of a seed."""
    agent = agent_of(TASKS[name], learner, seed)
    curve, began = [], time.process_time()
    for point in range(1, _POINTS + 1):
        agent.learn(total_steps=steps * point // _POINTS)
        returns = [episode.ret for episode in agent.episodes[-_EPISODES:]]
        curve.append(round(float(np.mean(returns)), 3) if returns else 0.0)
    cpu = time.process_time() - began
    greedy = float(evaluate(agent, _EPISODES, seed=seed)["mean_return"])
    agent.close()
    return Row(name, learner, steps, seed, curve[-1], round(greedy, 3), round(cpu, 1), (*curve,))


def read(file: Path = FILE) -> list[Row]:
    """Return the rows of a file, in its order; none if there is no file."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            Row(
                *(row["task"], row["learner"], int(row["steps"]), int(row["seed"])),
                *(float(row[x]) for x in ("training", "greedy", "cpu_s")),
                tuple(float(x) for x in row["curve"].split()),
            )
            for row in csv.DictReader(lines)
        ]


def add(row: Row, file: Path = FILE) -> None:
    """Write a row behind the others, in one piece, as others may write too."""
    fields = {**vars(row), "curve": " ".join(f"{x:g}" for x in row.curve)}
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8", buffering=1) as lines:
        writer = csv.DictWriter(lines, [*fields], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(fields)


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or write the tables and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "table", "figure"))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, metavar="NAME", default=[*TASKS])
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[*LEARNERS][:5])
    parser.add_argument("--seeds", type=_seeds, default=range(5))
    parser.add_argument("--steps", type=int, help="of every task (default: its own)")
    parser.add_argument("--file", type=Path, default=FILE)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    for seed in options.seeds:
        for name in options.tasks:
            for learner in options.learners:
                steps = options.steps or TASKS[name].steps
                known = {(r.task, r.learner, r.steps, r.seed) for r in read(options.file)}
                if (name, learner, steps, seed) not in known:
                    row = measure(name, learner, steps, seed)
                    add(row, options.file)
                    print(name, learner, steps, seed, row.training, row.greedy, row.cpu_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
