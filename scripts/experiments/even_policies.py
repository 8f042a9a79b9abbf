"""Count the actions of agents that have learned nothing, on the tasks of the development suite.

    python scripts/experiments/even_policies.py [--tasks NAME...] [--seeds 100 101] [--decisions N]

prints a line for each task: how often the rarest and the most frequent action were taken, over how
often they would be if all that are allowed were drawn evenly, and how certain the policy was. Ends
with 1 if an action was taken less than half or more than twice as often.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments.development_tasks import TASKS, Task
from experiments.markup import table_head, table_row
from neurorl import SpikingActorCritic
from neurorl.tasks.actions import MASK

BOUNDS = (0.5, 2.0)
_ENOUGH = 10
"""Leave out actions that were hardly ever allowed."""
_COLUMNS = ("task", "seed", "rarest", "most frequent", "mean largest probability", "even")


@dataclass(frozen=True)
class Evenness:
    """Hold how often the rarest and the most frequent action came, over how often if even.

    certainty: the mean of the largest probability, times the number of actions.
    """

    rarest: float
    most: float
    certainty: float

    @property
    def is_even(self) -> bool:
        """Return whether both are within bounds."""
        return BOUNDS[0] <= self.rarest and self.most <= BOUNDS[1]


def measure(task: Task, seed: int, decisions: int = 1000) -> Evenness | None:
    """Play an agent that has learned nothing; None for actions that aren't one choice."""
    env = task.make()
    if not isinstance(env.action_space, gym.spaces.Discrete):
        return None
    n = int(env.action_space.n)
    agent = SpikingActorCritic(task.make(), backend="native", seed=seed)
    player = agent.player(seed, explore=True)
    taken, expected, largest, over = np.zeros(n), np.zeros(n), 0.0, True
    for _ in range(decisions):
        if over:
            observation, info = env.reset(seed=seed if not taken.any() else None)
            player.begin()
        mask = info.get(MASK)
        allowed = np.ones(n) if mask is None else np.asarray(mask, dtype=np.float64)
        move = player.move(observation, mask)
        taken[move.action] += 1.0
        expected += allowed / allowed.sum()
        largest += float(move.policy.max())
        observation, _, terminated, truncated, info = env.step(agent.actions.taken(move.action))
        over = terminated or truncated
    agent.close()
    counts = expected >= _ENOUGH
    ratios = taken[counts] / expected[counts]
    return Evenness(float(ratios.min()), float(ratios.max()), n * largest / decisions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of tasks that can be made here; return 1 if a policy isn't even."""
    names = [task.name for task in TASKS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=names, metavar="NAME", default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=[100, 101, 102])
    parser.add_argument("--decisions", type=int, default=1000)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    print(*table_head(_COLUMNS), sep="\n", flush=True)
    uneven = 0
    for task in (task for task in TASKS if task.name in options.tasks):
        for seed in options.seeds:
            try:
                found = measure(task, seed, options.decisions)
            except (ImportError, gym.error.Error) as exc:
                print(table_row(task.name, f"left out: {exc}", "", "", "", ""), flush=True)
                break
            if found is None:
                break
            uneven += not found.is_even
            shown = (f"{x:.2f}" for x in (found.rarest, found.most, found.certainty))
            verdict = "yes" if found.is_even else "NO"
            print(table_row(task.name, str(seed), *shown, verdict), flush=True)
    return int(uneven > 0)


if __name__ == "__main__":
    sys.exit(main())
