"""Measure the default agent on the tasks by which it is chosen, beside what it was before.

    python scripts/experiments/development_suite.py [--tasks NAME...] [--seeds N] [--before]

prints a line for each task: greedy play of 100 episodes (of Blackjack 20,000), the mean over seeds
and the worst one.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments.development_tasks import TASKS, Task
from experiments.markup import table_head, table_row
from neurorl import SpikingActorCritic, evaluate
from neurorl.models.defaults.observations import default_cells, default_features
from neurorl.models.defaults.presets import make_config

FIRST_SEED = 100
_COLUMNS = ("task", "steps", "default before", "default now", "reference")

Overrides = dict[str, Any]
Choice = Callable[[gym.Env[Any, Any]], Overrides]


def now(env: gym.Env[Any, Any]) -> Overrides:
    """Return nothing: all is chosen by spaces and first play."""
    return {}


def before(env: gym.Env[Any, Any]) -> Overrides:
    """Name the fields as they were for every task: hidden units, declared ranges, one scale."""
    space = env.observation_space
    cells, features = default_cells(space), default_features(space)
    return {"hidden": 8, "cells": cells, "features": features, "reward_scale": 0.02}


def first_play_steps(task: Task) -> int:
    """Return how many random steps are taken to choose the default of a task."""
    env = task.make()
    try:
        return make_config(env).first_play_steps
    finally:
        env.close()


def measure(task: Task, choice: Choice, seeds: Sequence[int], share: float = 1.0) -> list[float]:
    """Return the mean return of greedy play of each seed, after a *share* of the task's steps."""
    returns = []
    for seed in seeds:
        env = task.make()
        agent = SpikingActorCritic(env, backend="native", seed=seed, **choice(env))
        agent.learn(total_steps=round(share * task.steps))
        other = task.to_play() if task.discount < 1.0 else None
        returns.append(float(evaluate(agent, task.episodes, seed=seed, env=other)["mean_return"]))
        agent.close()
    return returns


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of tasks that can be made here."""
    names = [task.name for task in TASKS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seeds", type=int, default=3, help="from 100 on (default: 3)")
    parser.add_argument("--share", type=float, default=1.0, help="of each task's steps")
    parser.add_argument("--before", action="store_true", help="measure that column too")
    parser.add_argument("--long", action="store_true", help="also tasks of minutes for each seed")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    print(*table_head(_COLUMNS), sep="\n", flush=True)
    for task in TASKS:
        if task.name in (options.tasks or ([] if task.is_long and not options.long else names)):
            print(_row(task, options), flush=True)
    return 0


def _row(task: Task, options: argparse.Namespace) -> str:
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    try:
        task.make().close()
    except (ImportError, gym.error.Error) as exc:
        return table_row(task.name, f"needs {task.extra}: {exc}", "", "", task.reference)
    shown = [
        _shown(measure(task, choice, seeds, options.share)) if is_wanted else ""
        for choice, is_wanted in ((before, options.before), (now, True))
    ]
    return table_row(task.name, f"{options.share * task.steps:,.0f}", *shown, task.reference)


def _shown(returns: Sequence[float]) -> str:
    return f"{np.mean(returns):.2f} ({min(returns):.2f})"


if __name__ == "__main__":
    sys.exit(main())
