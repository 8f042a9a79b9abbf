"""Check the diagnosis on runs that fail and on runs that learn: none missed, none accused.

    python scripts/experiments/diagnosed_runs.py [--only NAME...]

prints a line for each run, with seeds from 100 on: what it reached at first and in the end, its
warnings and whether they are right. Ends with 1 if one isn't.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not beside this file, where is a statistics.py

from experiments.development_tasks import TASKS
from experiments.markup import table_head, table_row
from neurorl import SpikingActorCritic
from neurorl.models.neurons.leaky import CubaLIF

_LIF = {"tau_syn": 1.44e-3, "tau_mem": 4.48e-3, "threshold": 0.5, "noise": 0.5}
_COLUMNS = ("run", "seed", "first 50", "last 50", "warnings", "right")


class Numbers(gym.Env[Any, Any]):
    """Pay for a number by how near it is to 0.6 or -0.6, as a sign that is shown says."""

    observation_space = spaces.Box(-1.0, 1.0, (1,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._sign = self.np_random.choice([-1.0, 1.0])
        return np.array([self._sign]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = 1.0 - (float(action[0]) - 0.6 * self._sign) ** 2
        return np.array([self._sign]), reward, True, False, {}


@dataclass(frozen=True)
class Run:
    """Hold one run. expected: kinds of warnings; it must get one of them. Empty if it learns."""

    name: str
    make: Callable[[], gym.Env[Any, Any]]
    steps: int
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (100,)


def _task(name: str) -> Callable[[], gym.Env[Any, Any]]:
    return next(task.make for task in TASKS if task.name == name)


def _made(env_id: str, **options: Any) -> Callable[[], gym.Env[Any, Any]]:
    return lambda: gym.make(env_id, **options)


_FAST = {"alpha_output": 3.6, "alpha_hidden": 24.0}
_DRIFTS = {"rule": "agreement", "modulator": "reward", "critic.alpha": 0.0}
_LAKE, _CART = _made("FrozenLake-v1"), _made("CartPole-v1")
_SILENT, _SATURATED = CubaLIF(**{**_LIF, "threshold": 50.0}), CubaLIF(**_LIF, bias=5.0)
_SHORT_CAR = _made("MountainCar-v0", max_episode_steps=60)
_SHORT_LAKE = _made("FrozenLake-v1", map_name="8x8", max_episode_steps=12)
FAILING = (
    Run("FrozenLake, scale 0.02", _LAKE, 5_000, {"reward_scale": 0.02}, ("faint",)),
    Run("FrozenLake, hidden", _LAKE, 5_000, {"hidden": 8, "reward_scale": 0.02}, ("faint",)),
    Run("CartPole, scale 5", _CART, 8_000, {"reward_scale": 5.0}, ("loud", "stuck")),
    Run("CartPole, rates times 10", _CART, 6_000, _FAST, ("stuck",)),
    Run("CartPole, threshold 50", _CART, 3_000, {"neuron": _SILENT}, ("silent",)),
    Run("CartPole, bias 5", _CART, 3_000, {"neuron": _SATURATED}, ("saturated",)),
    Run("CartPole, uncentred", _CART, 6_000, _DRIFTS, ("stuck", "drifting")),
    Run("MountainCar, 60 steps at most", _SHORT_CAR, 20_000, {}, ("flat",)),
    Run("FrozenLake 8x8, 12 steps at most", _SHORT_LAKE, 6_000, {}, ("unrewarded",)),
    Run("numbers, scale 0.001", Numbers, 2_000, {"reward_scale": 0.001}, ("faint",)),
)
LEARNING = (
    Run("FrozenLake", _LAKE, 60_000),
    Run("FrozenLake, not slippery", _made("FrozenLake-v1", is_slippery=False), 20_000),
    Run("CliffWalking", _task("CliffWalking"), 20_000),
    Run("bandit", _task("bandit"), 5_000),
    Run("context bandit", _task("context bandit"), 8_000),
    Run("Catch", _task("Catch"), 15_000),
    Run("gridworld", _task("gridworld, discounted"), 30_000),
    Run("CartPole", _task("CartPole"), 30_000),
    Run("MountainCar", _task("MountainCar"), 30_000),
    Run("numbers", Numbers, 3_000, seeds=tuple(range(100, 106))),
    Run("numbers, hidden", Numbers, 3_000, {"hidden": 8}, seeds=tuple(range(100, 106))),
)
RUNS = (*FAILING, *LEARNING)


def measure(run: Run, seed: int) -> tuple[float, float, list[str]]:
    """Return the mean return of the first and the last 50 episodes, and the kinds of warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent = SpikingActorCritic(run.make(), backend="native", seed=seed, **run.options)
        agent.learn(total_steps=run.steps)
    returns = [episode.ret for episode in agent.episodes]
    kinds = sorted({str(finding["kind"]) for finding in agent.diagnostics["warnings"]})
    agent.close()
    return float(np.mean(returns[:50])), float(np.mean(returns[-50:])), kinds


def is_right(run: Run, kinds: Sequence[str]) -> bool:
    """Return whether a run got one of the warnings it must get, or none if it learns."""
    return bool(set(kinds) & set(run.expected)) if run.expected else not kinds


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of runs; return 1 if one is missed or accused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = [run.name for run in RUNS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    options = parser.parse_args(arguments)
    print(*table_head(_COLUMNS), sep="\n", flush=True)
    wrong = 0
    for run in RUNS:
        for seed in run.seeds if run.name in (options.only or names) else ():
            first, last, kinds = measure(run, seed)
            right = is_right(run, kinds)
            wrong += not right
            shown = (f"{first:.2f}", f"{last:.2f}", ", ".join(kinds) or "none")
            print(table_row(run.name, str(seed), *shown, "yes" if right else "NO"), flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
