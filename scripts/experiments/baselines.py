"""Measure what others reach on the tasks of the development suite, at equal environment steps.

    python scripts/experiments/baselines.py [--tasks NAME...] [--learners NAME...] [--seeds N]

Learners: tabular Q-learning and SARSA (here, for numbered states), DQN, PPO and PPO with an LSTM of
stable-baselines3 (`stable_baselines`; ``pip install 'neurorl[baselines]'``). Each learns as many
steps as the agent of this library does, and then plays as many episodes greedily. Seeds are from
100 on; prints a line for each task: the mean over seeds and the worst one.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments import stable_baselines
from experiments.development_tasks import TASKS, Task
from experiments.markup import table_head, table_row

FIRST_SEED = 100
_ALPHA, _EPSILON, _GAMMA = 0.1, 0.1, 0.99

Act = Callable[[Any, bool], Any]
"""Choose an action of an observation; the other argument is whether it begins an episode."""
Learner = Callable[[Task, int], Act | None]


def learn_table(env: gym.Env[Any, Any], steps: int, seed: int, *, on_policy: bool) -> Act | None:
    """Return the greedy actions of Q-learning, or of SARSA if *on_policy*; None without states.

    Step size 0.1, 0.1 of all actions drawn evenly, gamma 0.99, values 0 at first, ties at random.
    """
    states, actions = env.observation_space, env.action_space
    if not isinstance(actions, gym.spaces.Discrete) or not _is_numbered(states):
        return None
    rng = np.random.default_rng(seed)
    values: dict[Any, npt.NDArray[np.float64]] = {}

    def of(state: Any) -> npt.NDArray[np.float64]:
        return values.setdefault(state, np.zeros(int(actions.n)))

    def best(state: Any) -> int:
        q = of(_number(state))
        return int(rng.choice(np.flatnonzero(q == q.max()))) + int(actions.start)

    def explored(state: Any) -> int:
        return int(rng.integers(actions.n)) if rng.random() < _EPSILON else best(state)

    state, _ = env.reset(seed=seed)
    action = explored(state)
    for _ in range(steps):
        after, reward, terminated, truncated, _ = env.step(action)
        following = explored(after)
        q_after = of(_number(after))
        ahead = q_after[following - int(actions.start)] if on_policy else q_after.max()
        error = float(reward) + (0.0 if terminated else _GAMMA * ahead)
        place = action - int(actions.start)
        q = of(_number(state))
        q[place] += _ALPHA * (error - q[place])
        state, action = after, following
        if terminated or truncated:
            state, _ = env.reset()
            action = explored(state)
    return lambda state, is_first: best(state)


def _is_numbered(space: gym.Space[Any]) -> bool:
    parts = space.spaces if isinstance(space, gym.spaces.Tuple) else (space,)
    return all(isinstance(part, gym.spaces.Discrete) for part in parts)


def _number(state: Any) -> Any:
    return tuple(map(int, state)) if isinstance(state, tuple) else int(state)


def _table(on_policy: bool) -> Learner:
    return lambda task, seed: learn_table(task.make(), task.steps, seed, on_policy=on_policy)


LEARNERS: dict[str, Learner] = {
    "Q": _table(on_policy=False),
    "SARSA": _table(on_policy=True),
    **{name: functools.partial(stable_baselines.learn, name) for name in stable_baselines.NAMES},
}


def measure(task: Task, learner: Learner, seeds: Sequence[int]) -> list[float] | None:
    """Return the mean return of greedy play of each seed; None for a task it can't learn."""
    returns = []
    for seed in seeds:
        act = learner(task, seed)
        if act is None:
            return None
        returns.append(float(np.mean(_played(task.to_play(), act, task.episodes, seed))))
    return returns


def _played(env: gym.Env[Any, Any], act: Act, episodes: int, seed: int) -> list[float]:
    totals = []
    for episode in range(episodes):
        state, _ = env.reset(seed=seed if not episode else None)
        total, is_first, is_over = 0.0, True, False
        while not is_over:
            state, reward, terminated, truncated, _ = env.step(act(state, is_first))
            total, is_first, is_over = total + float(reward), False, bool(terminated or truncated)
        totals.append(total)
    return totals


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of tasks that can be made here."""
    names = [task.name for task in TASKS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=names, metavar="NAME", default=names)
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[*LEARNERS])
    parser.add_argument("--seeds", type=int, default=5, help="from 100 on (default: 5)")
    options = parser.parse_args(arguments)
    print(*table_head(("task", "steps", *options.learners)), sep="\n", flush=True)
    for task in TASKS:
        if task.name in options.tasks:
            shown = [_shown(task, name, options.seeds) for name in options.learners]
            print(table_row(task.name, f"{task.steps:,}", *shown), flush=True)
    return 0


def _shown(task: Task, name: str, seeds: int) -> str:
    try:
        returns = measure(task, LEARNERS[name], range(FIRST_SEED, FIRST_SEED + seeds))
    except (ImportError, gym.error.Error) as exc:
        return f"missing: {exc}"
    return "" if returns is None else f"{np.mean(returns):.2f} ({min(returns):.2f})"


if __name__ == "__main__":
    sys.exit(main())
