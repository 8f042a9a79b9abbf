"""Keep what agents reach on the development suite in a file, and write its table into the docs.

    python scripts/experiments/any_task.py measure --tasks NAME... --learners PPO --seeds 0 1
    python scripts/experiments/any_task.py measure --suite held-out --learners default Q PPO
    python scripts/experiments/any_task.py table
    python scripts/experiments/any_task.py first-plays

`measure` adds a row for each seed to results/tables/any-task.csv, of other learners than the
default to results/tables/baselines.csv; those that are there aren't run again, and tasks whose
package is missing are named and left out. Rows of held-out tasks (`held_out_tasks`) go to
results/tables/held-out.csv, of all learners. `table` writes, for each task, what the default agent
and each other learner reached, its control without neurons (`controls`) too, and into README.md the
best of them; what isn't in the files is empty. Steps are those of training, and of the first play
by which the default was chosen: `first-plays` plays these again, trains nothing, and writes their
steps into rows without.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import gymnasium as gym
import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments import baselines, development_suite
from experiments.development_tasks import TASKS, Task
from experiments.held_out_tasks import HELD_OUT
from experiments.markup import put_between, table_head, table_row
from experiments.rl_zoo import FIGURES

ROOT = Path(__file__).parents[2]
FILE, PAGE = ROOT / "results" / "tables" / "any-task.csv", ROOT / "docs" / "your-own-task.md"
BASELINES, CONTROLS = FILE.with_name("baselines.csv"), FILE.with_name("controls.csv")
HELD_OUT_FILE = FILE.with_name("held-out.csv")
README = ROOT / "README.md"
IN_README = (
    *("FrozenLake-v1, slippery", "FrozenLake-v1, slippery, 8 x 8", "Taxi-v4", "CliffWalking"),
    *("MiniGrid-Empty-5x5-v0", "CartPole", "MountainCar", "Acrobot-v1", "LunarLander-v3"),
    *("Pendulum-v1", "MountainCarContinuous-v0", "PerceptualDecisionMaking-v0"),
)
DEFAULT, LINEAR = "default", "linear"
_AS_GOOD = "as good or better"
LEARNERS = (DEFAULT, *baselines.LEARNERS)
_COLUMNS = (DEFAULT, LINEAR, *baselines.LEARNERS)
_TITLES = {LINEAR: "linear, no neurons"}


_SUITES = {
    "development": (TASKS, FILE, BASELINES),
    "held-out": (HELD_OUT, HELD_OUT_FILE, HELD_OUT_FILE),
}
"""Map the name of each suite to its tasks, and to the files of the default and of others."""


@dataclass(frozen=True, order=True)
class Result:
    """Hold what one seed of a learner reached: the mean return of so many greedy episodes.

    steps: of training. first_play_steps: those before, by which the agent was chosen.
    """

    task: str
    learner: str
    steps: int
    episodes: int
    seed: int
    mean_return: float
    first_play_steps: int = 0


def read(file: Path) -> list[Result]:
    """Return the rows of a file, none if there is no file."""
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return [
            Result(
                row["task"],
                row["learner"],
                int(row["steps"]),
                int(row["episodes"]),
                int(row["seed"]),
                float(row["mean_return"]),
                int(row.get("first_play_steps") or 0),
            )
            for row in csv.DictReader(stream)
        ]


def write(results: Sequence[Result], file: Path) -> None:
    """Write rows in order."""
    with file.open("w", newline="") as stream:
        names = [field.name for field in fields(Result)]
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(result) for result in sorted(results))


def measure(task: Task, learner: str, seed: int) -> list[Result]:
    """Return the row of a seed; none for a task that the learner can't learn."""
    first, returns = 0, None
    if learner == DEFAULT:
        first = development_suite.first_play_steps(task)
        returns = development_suite.measure(task, development_suite.now, [seed])
    else:
        returns = baselines.measure(task, baselines.LEARNERS[learner], [seed])
    return [
        Result(task.name, learner, task.steps, task.episodes, seed, round(mean, 4), first)
        for mean in returns or ()
    ]


def with_first_plays(results: Sequence[Result], tasks: Sequence[Task]) -> list[Result]:
    """Return rows of the default and its control with the steps of their tasks' first plays.

    Tasks that can't be made here are named, and their rows left as they are.
    """
    chosen = (DEFAULT, LINEAR)
    learned = {r.task for r in results if r.learner in chosen}
    found: dict[str, int] = {}
    for task in (task for task in tasks if task.name in learned):
        try:
            found[task.name] = development_suite.first_play_steps(task)
        except (ImportError, gym.error.Error) as exc:
            print(f"{task.name}: left out: {exc}", flush=True)
    return [
        replace(r, first_play_steps=found[r.task]) if r.learner in chosen and r.task in found else r
        for r in results
    ]


def lines(results: Sequence[Result]) -> list[str]:
    """Return the table: mean, worst and number of seeds of each learner; the best other in bold."""
    published = "[published](https://github.com/DLR-RM/rl-baselines3-zoo/blob/master/benchmark.md)"
    titles = [_TITLES.get(name, name) for name in _COLUMNS]
    table = table_head(("task", "steps", *titles, published, "optimum or best known"))
    for task in TASKS:
        of_task = [r for r in results if (r.task, r.steps) == (task.name, task.steps)]
        if of_task:
            reached = {
                name: [r.mean_return for r in of_task if r.learner == name] for name in _COLUMNS
            }
            means = {name: np.mean(reached[name]) for name in baselines.LEARNERS if reached[name]}
            best = max(means, key=lambda name: means[name], default=None)
            cells = (cell(reached[name], is_best=name == best) for name in _COLUMNS)
            figures = ", ".join(map(str, FIGURES.get(task.name, ())))
            table.append(table_row(task.name, _steps(of_task), *cells, figures, task.reference))
    return table


def held_out(results: Sequence[Result]) -> list[str]:
    """Return the table of held-out tasks, and in how many the default is as good as the best."""
    learners = [name for name in LEARNERS if any(r.learner == name for r in results)]
    table = table_head(("task", "steps", *learners, "default beside the best of others"))
    verdicts = []
    for task in HELD_OUT:
        reached: dict[str, list[float]] = {name: [] for name in learners}
        of_task = [r for r in results if (r.task, r.steps) == (task.name, task.steps)]
        for r in of_task:
            reached[r.learner].append(r.mean_return)
        if of_task:
            verdicts.append(_beside_best(reached))
            cells = (cell(returns) for returns in reached.values())
            table.append(table_row(task.name, _steps(of_task), *cells, verdicts[-1]))
    compared = sum(map(bool, verdicts))
    return [*table, "", f"{_AS_GOOD}: {verdicts.count(_AS_GOOD)} of {compared} tasks."]


def _beside_best(reached: Mapping[str, Sequence[float]]) -> str:
    """Say how the default's mean compares with the best of the others', to two decimals."""
    means = {name: round(float(np.mean(of)), 2) for name, of in reached.items() if of}
    own = means.pop(DEFAULT, None)
    if own is None or not means:
        return ""
    return _AS_GOOD if own >= max(means.values()) else "worse"


def short(results: Sequence[Result]) -> list[str]:
    """Return README.md's: the default, its control, the best other at equal steps, published."""
    own_title = "default: mean (worst), seeds"
    table = table_head(("task", "steps", own_title, _TITLES[LINEAR], "best of others measured"))
    for task in (task for task in TASKS if task.name in IN_README):
        reached: dict[str, list[float]] = {name: [] for name in _COLUMNS}
        of_task = [r for r in results if (r.task, r.steps) == (task.name, task.steps)]
        for r in (row for row in of_task if row.learner in reached):
            reached[r.learner].append(r.mean_return)
        own, control = reached.pop(DEFAULT), reached.pop(LINEAR)
        others = {name: float(np.mean(returns)) for name, returns in reached.items() if returns}
        best = max(others, key=lambda name: others[name], default="")
        figures = [f"{best} {others[best]:.2f}"] if best else []
        figures += [f"published: {figure}" for figure in FIGURES.get(task.name, ())]
        if own:
            cells = cell(own), cell(control), ", ".join(figures)
            table.append(table_row(task.name, _steps(of_task), *cells))
    return table


def _steps(of_task: Sequence[Result]) -> str:
    """Show the steps of training, and those of the default's first play."""
    first = max(r.first_play_steps for r in of_task)
    return f"{of_task[0].steps:,}" + f" + {first:,}" * bool(first)


def cell(returns: Sequence[float], digits: int = 2, *, is_best: bool = False) -> str:
    """Return ``mean (worst), seeds`` of what seeds reached; empty if there are none."""
    if not returns:
        return ""
    mean = f"{np.mean(returns):.{digits}f}"
    shown = f"**{mean}**" if is_best else mean
    return f"{shown} ({min(returns):.{digits}f}), {len(returns)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or write the table."""
    names = [task.name for tasks, _, _ in _SUITES.values() for task in tasks]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "table", "first-plays"))
    parser.add_argument("--suite", choices=_SUITES, default="development")
    parser.add_argument("--tasks", nargs="+", choices=names, metavar="NAME", default=names)
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[DEFAULT])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(20)))
    parser.add_argument("--file", type=Path, help="instead of the suite's")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--readme", type=Path, default=README)
    options = parser.parse_args(arguments)
    if options.what == "table":
        files = [options.file] if options.file else [FILE, BASELINES, CONTROLS]
        results = [r for file in files for r in read(file)]
        put_between(options.page, "any-task", lines(results))
        put_between(options.readme, "any-task", short(results))
        put_between(options.page, "held-out", held_out(read(HELD_OUT_FILE)))
        return 0
    warnings.simplefilter("ignore")
    if options.what == "first-plays":
        for tasks, own, _ in _SUITES.values():
            write(with_first_plays(read(own), tasks), own)
        return 0
    tasks, own, others = _SUITES[options.suite]
    for task in (task for task in tasks if task.name in options.tasks):
        for learner in options.learners:
            file = options.file or (own if learner == DEFAULT else others)
            try:
                _add(task, learner, options.seeds, file)
            except (ImportError, gym.error.Error) as exc:
                print(f"{task.name}, {learner}: left out: {exc}", flush=True)
    return 0


def _add(task: Task, learner: str, seeds: Sequence[int], file: Path) -> None:
    """Run the seeds that aren't in the file, and write each as it is done."""
    for seed in seeds:
        key = task.name, learner, task.steps, seed
        if key not in {(r.task, r.learner, r.steps, r.seed) for r in read(file)}:
            new = measure(task, learner, seed)
            write([*read(file), *new], file)  # others may have added to it meanwhile


if __name__ == "__main__":
    sys.exit(main())
