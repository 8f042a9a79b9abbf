"""Solve for the value of what agents of FrozenLake-v1 do, by the transitions of the environment.

    python scripts/experiments/lake_value.py [--seeds N] [--first 100] [--steps 100000] \\
        [--set exploration=0.05]

prints a line for each seed: the value of greedy play, within the time limit, and the action that
comes most often in each state. A mean of 100 episodes has a standard error of 0.044.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl import SpikingActorCritic

__all__ = ["main", "measure", "value"]

Policy = npt.NDArray[np.float64]
_DECISIONS = 150
"""Make so many decisions in each state, as votes have noise."""


def value(env: gym.Env[Any, Any], policy: Policy) -> float:
    """Return the mean return of an episode from state 0; *policy*: ``(states, actions)``."""
    assert env.spec is not None
    transitions: Any = env.unwrapped.P  # type: ignore[attr-defined]
    values = np.zeros(len(policy))
    for _ in range(env.spec.max_episode_steps or 0):
        ahead = np.zeros(policy.shape)
        for state, action in np.ndindex(*policy.shape):
            for p, after, reward, over in transitions[state][action]:
                ahead[state, action] += p * (reward + (0.0 if over else values[after]))
        values = (policy * ahead).sum(axis=1)
    return float(values[0])


def measure(env: gym.Env[Any, Any], seed: int, steps: int, fields: dict[str, Any]) -> Policy:
    """Return how often an agent that has learned for so many steps takes each action, greedily."""
    assert isinstance(env.observation_space, gym.spaces.Discrete)
    assert isinstance(env.action_space, gym.spaces.Discrete)
    agent = SpikingActorCritic(env, backend="brian2", seed=seed, **fields)
    agent.learn(total_steps=steps)
    policy = np.zeros((int(env.observation_space.n), int(env.action_space.n)))
    player = agent.player(seed)
    for state in range(len(policy)):
        for _ in range(_DECISIONS):
            policy[state, player.move(state).action] += 1.0 / _DECISIONS
    agent.close()
    return policy


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the values."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--first", type=int, default=100, help="the first of them")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=NUMBER", dest="fields")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    fields = {name: json.loads(text) for name, text in (f.split("=", 1) for f in options.fields)}
    values = []
    for seed in range(options.first, options.first + options.seeds):
        env = gym.make("FrozenLake-v1")
        policy = measure(env, seed, options.steps, fields)
        values.append(value(env, policy))
        print(seed, round(values[-1], 3), *policy.argmax(axis=1).tolist(), flush=True)
    print(f"mean {np.mean(values):.3f}, worst {min(values):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
