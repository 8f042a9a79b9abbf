"""Compute what default agents' greedy play is worth where the task's transitions are known.

    python scripts/experiments/exact_values.py [--tasks NAME...] [--seeds N...] [--out FILE] \\
        [--set FIELD=NUMBER...]

A hundred episodes of FrozenLake have a standard error of 0.044; this has none but that of the
policy, which is counted over 20 decisions in each state. Prints a line for each task: the mean and
the worst of all seeds, how many seeds play as well as the best policy does to 0.01, and the best
policy's return, within the environment's time limit; FILE gets a row for each seed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments.development_tasks import TASKS, Task
from experiments.markup import table_head, table_row
from neurorl import SpikingActorCritic
from neurorl.tasks.groups import most_steps

DECISIONS = 20
_COLUMNS = ("task", "steps", "default", "seeds", "best policy")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """Hold a task of numbered states whose transitions are known.

    moves: ``(states, actions, states)``, the chance to come to a state from which play goes on.
    rewards: ``(states, actions)``, on average. first: chances of the first state. limit: of steps.
    """

    moves: Numbers
    rewards: Numbers
    first: Numbers
    limit: int

    @classmethod
    def of(cls, env: Any) -> Chain | None:
        """Return the chain of one of Gymnasium's tables; None for another environment."""
        table: Mapping[int, Mapping[int, Any]] | None = getattr(env.unwrapped, "P", None)
        limit = most_steps(env)
        if table is None or limit is None:
            return None
        n, n_actions = len(table), len(table[0])
        moves, rewards = np.zeros((n, n_actions, n)), np.zeros((n, n_actions))
        for state, of_state in table.items():
            for action, outcomes in of_state.items():
                for chance, after, reward, is_over in outcomes:
                    rewards[state, action] += chance * reward
                    moves[state, action, after] += 0.0 if is_over else chance
        return cls(moves, rewards, np.asarray(env.unwrapped.initial_state_distrib), int(limit))

    def worth(self, policy: Numbers | None = None) -> float:
        """Return the mean return of a policy, ``(states, actions)``; None: of the best one."""
        values = np.zeros(len(self.rewards))
        for _ in range(self.limit):
            of_actions = self.rewards + self.moves @ values
            values = of_actions.max(axis=1) if policy is None else (policy * of_actions).sum(axis=1)
        return float(self.first @ values)


def greedy_policy(agent: SpikingActorCritic, chain: Chain) -> Numbers:
    """Return how often each action was chosen in each state, ``(states, actions)``."""
    policy = np.zeros_like(chain.rewards)
    for state in range(len(policy)):
        for _ in range(DECISIONS):
            policy[state, int(agent.predict(state))] += 1 / DECISIONS
    return policy


def measure(
    task: Task, chain: Chain, seeds: Sequence[int], fields: Mapping[str, Any]
) -> list[float]:
    """Return what greedy play of an agent of each seed is worth; *fields*: other than default."""
    returns = []
    for seed in seeds:
        agent = SpikingActorCritic(task.make(), backend="native", seed=seed, **fields)
        agent.learn(total_steps=task.steps)
        returns.append(chain.worth(greedy_policy(agent, chain)))
        agent.close()
    return returns


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write the file."""
    chains = {task.name: Chain.of(task.make()) for task in TASKS if not task.extra}
    names = [name for name, chain in chains.items() if chain is not None]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=names, metavar="NAME", default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(20)))
    parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=NUMBER", dest="fields")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    fields = {name: json.loads(text) for name, text in (f.split("=", 1) for f in options.fields)}
    warnings.simplefilter("ignore")
    print(*table_head(_COLUMNS), sep="\n", flush=True)
    rows = []
    for task in TASKS:
        chain = chains.get(task.name)
        if chain is None or task.name not in options.tasks:
            continue
        returns, best = measure(task, chain, options.seeds, fields), chain.worth()
        reached = f"{np.mean(returns):.3f} ({min(returns):.3f})"
        cells = (reached, str(len(returns)), f"{best:.3f}")
        print(table_row(task.name, f"{task.steps:,}", *cells), flush=True)
        pairs = zip(options.seeds, returns, strict=True)
        rows += [(task.name, task.steps, seed, round(v, 4), round(best, 4)) for seed, v in pairs]
    if options.out:
        with options.out.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([("task", "steps", "seed", "return", "best"), *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
