"""Measure what is reached without neurons, and with hidden layers that don't learn or aren't there.

    python scripts/experiments/controls.py measure [--suites presets] [--tasks NAME...] [--seeds N]
    python scripts/experiments/controls.py table
    python scripts/experiments/controls.py first-plays

`measure` adds a row for each seed to results/tables/controls.csv; those that are there, or among
those of held-out tasks, aren't run again, and tasks whose package is missing are named and left
out. Steps of *presets* are episodes, as those of the presets' own rows are. `table` writes the
tables of docs/your-own-task.md; those of README.md, docs/learning.md and docs/harder-proofs.md
are made by their own commands. `first-plays` is that of `any_task`.

Learners: `linear` is `neurorl.LinearActorCritic`, on the cells of the agent that it stands beside;
`frozen` that agent with ``alpha_hidden=0``; `hidden=0` the same without hidden units; `hidden=0,
faster` with 10/3 times the rate of its output, which has to do what two layers did; `modules` the
default without shared hidden layers: outputs that spike, on the same cells.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments.any_task import CONTROLS as FILE
from experiments.any_task import (
    DEFAULT,
    HELD_OUT_FILE,
    IN_README,
    LINEAR,
    PAGE,
    Result,
    cell,
    read,
    with_first_plays,
    write,
)
from experiments.any_task import FILE as DEFAULTS
from experiments.development_tasks import TASKS, Task
from experiments.held_out_tasks import HELD_OUT, minatar
from experiments.markup import put_between, table_head, table_row
from experiments.run import evaluation_seed
from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.agents.base import LearningAgent
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.environments import make_env

__all__ = [
    "FILE",
    "LINEAR",
    "SUITES",
    "lines_of_minatar",
    "lines_of_presets",
    "lines_of_tiles",
    "main",
    "measure",
    "returns",
]

_FASTER = 10 / 3
_NOT_RUN = ("PerceptualDecisionMaking-v0",)  # needs NeuroGym, which needs to be installed by hand

_ON_TILES = ("CartPole", "MountainCar", "Acrobot-v1", "puddle world", "swing-up")
"""Name tasks whose defaults have hidden layers on tiles."""

Env = gym.Env[Any, Any]


def _spiking(**options: Any) -> Callable[[Env, int], LearningAgent]:
    return lambda env, seed: SpikingActorCritic(env, backend="native", seed=seed, **options)


def _faster(env: Env, seed: int) -> LearningAgent:
    rate = _FASTER * make_config(env).alpha_output
    return _spiking(hidden=0, alpha_output=rate)(env, seed)


LEARNERS: Mapping[str, Callable[[Env, int], LearningAgent]] = {
    DEFAULT: _spiking(),
    "frozen": _spiking(alpha_hidden=0.0),
    "hidden=0": _spiking(hidden=0),
    "hidden=0, faster": _faster,
    "modules": _spiking(trunk="modules"),
    LINEAR: LinearActorCritic,
}


@dataclass(frozen=True)
class Suite:
    """Hold tasks and the learners that are measured on them, on so many seeds from 0 on.

    by_episodes: whether a task's steps are episodes.
    """

    tasks: tuple[Task, ...]
    learners: tuple[str, ...]
    seeds: int
    by_episodes: bool = False


def _preset(env_id: str, episodes: int, played: int = 100, discount: float = 1.0) -> Task:
    return Task(env_id, lambda: make_env(env_id), episodes, "", "", False, played, discount)


SUITES: Mapping[str, Suite] = {
    "presets": Suite(
        (
            _preset("neurorl/GridWorld-v0", 600, 1000, 0.9),
            _preset("CartPole-v1", 250),
            _preset("MountainCar-v0", 1000),
        ),
        ("frozen", "hidden=0", "hidden=0, faster", LINEAR),
        20,
        by_episodes=True,
    ),
    "minatar": Suite(
        (
            *(task for task in HELD_OUT if task.name.startswith("MinAtar")),
            Task("MinAtar Seaquest", minatar("Seaquest"), 200_000, "", "minatar", episodes=50),
        ),
        (LINEAR, DEFAULT),
        3,
    ),
    "tiles": Suite(
        tuple(task for task in (*TASKS, *HELD_OUT) if task.name in _ON_TILES),
        (DEFAULT, "frozen", "modules", LINEAR),
        3,
    ),
    "any-task": Suite(
        tuple(t for t in TASKS if t.name in IN_README and t.name not in _NOT_RUN), (LINEAR,), 5
    ),
}


def measure(suite: Suite, task: Task, learner: str, seed: int) -> Result:
    """Return the row of a seed."""
    agent = LEARNERS[learner](task.make(), seed)
    if suite.by_episodes:
        agent.learn(total_episodes=task.steps)
    else:
        agent.learn(total_steps=task.steps)
    other = task.to_play() if task.discount < 1.0 else None
    played = evaluation_seed(seed) if suite.by_episodes else seed
    mean = float(evaluate(agent, task.episodes, seed=played, env=other)["mean_return"])
    first = agent.first_play_steps
    agent.close()
    return Result(task.name, learner, task.steps, task.episodes, seed, round(mean, 4), first)


def returns(results: Sequence[Result], task: str, learner: str) -> list[float]:
    """Return what the seeds of a learner reached."""
    return [r.mean_return for r in results if (r.task, r.learner) == (task, learner)]


def lines_of_presets(
    results: Sequence[Result], presets: Mapping[str, Sequence[float]]
) -> list[str]:
    """Return the table of the presets. presets: what these reached, by task."""
    suite = SUITES["presets"]
    return _lines(
        suite, results, {task: {"preset": of} for task, of in presets.items()}, "episodes"
    )


def lines_of_minatar(results: Sequence[Result], held_out: Sequence[Result]) -> list[str]:
    """Return the table of MinAtar's games. held_out: rows of the default that are there already."""
    return _lines(SUITES["minatar"], [*results, *held_out], {}, "steps")


def lines_of_tiles(results: Sequence[Result]) -> list[str]:
    """Return the table of hidden layers on tiles, of the first seeds. results: of all files."""
    suite = SUITES["tiles"]
    return _lines(suite, [row for row in results if row.seed < suite.seeds], {}, "steps")


def _lines(
    suite: Suite,
    results: Sequence[Result],
    others: Mapping[str, Mapping[str, Sequence[float]]],
    unit: str,
) -> list[str]:
    first = list(next(iter(others.values()), {}))
    table = table_head(("task", unit, *first, *suite.learners))
    for task in suite.tasks:
        digits = 3 if task.discount < 1.0 else 2
        shown = [others.get(task.name, {}).get(name, ()) for name in first]
        shown += [returns(results, task.name, name) for name in suite.learners]
        cells = (cell(reached, digits) for reached in shown)
        table.append(table_row(task.name, f"{task.steps:,}", *cells))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or write the tables."""
    names = [task.name for suite in SUITES.values() for task in suite.tasks]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "table", "first-plays"))
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=[*SUITES])
    parser.add_argument("--tasks", nargs="+", choices=names, metavar="NAME", default=names)
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[*LEARNERS])
    parser.add_argument("--seeds", type=int, help="from 0 on (default: the suite's)")
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    if options.what == "table":
        rows, held_out = read(options.file), read(HELD_OUT_FILE)
        put_between(options.page, "controls", lines_of_minatar(rows, held_out))
        put_between(options.page, "tiles", lines_of_tiles([*read(DEFAULTS), *rows, *held_out]))
        return 0
    warnings.simplefilter("ignore")
    if options.what == "first-plays":
        tasks = [task for s in SUITES.values() if not s.by_episodes for task in s.tasks]
        write(with_first_plays(read(options.file), tasks), options.file)
        return 0
    for suite in (SUITES[name] for name in options.suites):
        for task in (task for task in suite.tasks if task.name in options.tasks):
            try:
                task.make().close()
            except (ImportError, gym.error.Error) as exc:
                print(f"{task.name}: left out: {exc}", flush=True)
                continue
            for learner in (name for name in suite.learners if name in options.learners):
                _add(suite, task, learner, options.seeds or suite.seeds, options.file)
    return 0


def _add(suite: Suite, task: Task, learner: str, seeds: int, file: Path) -> None:
    """Run the seeds that aren't in the file, and write each as it is done."""
    for seed in range(seeds):
        key = task.name, learner, task.steps, seed
        known = [*read(DEFAULTS), *read(file), *read(HELD_OUT_FILE)]
        if key not in {(r.task, r.learner, r.steps, r.seed) for r in known}:
            new = measure(suite, task, learner, seed)
            write([*read(file), new], file)  # others may have added to it meanwhile
            print(*key, new.mean_return, flush=True)


if __name__ == "__main__":
    sys.exit(main())
