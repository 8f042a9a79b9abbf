"""Define the closed loop that is measured, `BenchLoop`, and the leanest around any `BenchAgent`.

The loops are generators: their state is in local variables, so an environment step costs no
attribute look-ups of the driver, which would count against the quickest candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurorl.bench.workload import BASELINE_RATE, GaussianEncoder, Size, episode_seed, make_env

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BenchLoop:
    """Run an agent in its environment, one of each for every replica.

    step: takes one environment step in every replica, learning included, and returns how many.
    close: frees everything. engine, arithmetic: what it really runs, for the row of the table.
    """

    step: Callable[[], int]
    close: Callable[[], None]
    engine: str
    arithmetic: str = "float32"


class BenchAgent(Protocol):
    """Describe a network with its rule, for one or many replicas."""

    def step(self, p: Array) -> npt.NDArray[Any]:
        """Run a window at spike probabilities ``(replicas, inputs)``; return output counts.

        The counts may be overwritten by the next call.
        """

    def learn(self, m: Any) -> None:
        """Update the weights for modulators, a float or ``(replicas,)``."""

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        """Zero everything but the weights, of these replicas or of all."""


def agent_loop(
    agent: BenchAgent,
    size: Size,
    replicas: int,
    *,
    engine: str,
    arithmetic: str = "float32",
    close: Callable[[], None] = lambda: None,
) -> BenchLoop:
    """Return the loop of a `BenchAgent` in the workload's environments."""
    running = _many(agent, size, replicas) if replicas > 1 else _one(agent, size)
    return BenchLoop(running.__next__, close, engine, arithmetic)


def _one(agent: BenchAgent, size: Size) -> Generator[int, None, None]:
    env, encode = make_env(size), GaussianEncoder(size)
    step, learn, env_step = agent.step, agent.learn, env.step
    episode, rbar = 0, 0.0
    observation, _ = env.reset(seed=episode_seed(0, 0))
    while True:
        action = int(step(encode(observation)).argmax())
        observation, reward, terminated, truncated, _ = env_step(action)
        m = float(reward) - rbar
        rbar += BASELINE_RATE * m
        learn(m)
        if terminated or truncated:
            agent.reset()
            episode += 1
            observation, _ = env.reset(seed=episode_seed(0, episode))
        yield 1


def _many(agent: BenchAgent, size: Size, replicas: int) -> Generator[int, None, None]:
    envs, encode = [make_env(size) for _ in range(replicas)], GaussianEncoder(size, replicas)
    env_steps = list(enumerate([env.step for env in envs]))
    observations = np.stack([e.reset(seed=episode_seed(b, 0))[0] for b, e in enumerate(envs)])
    episodes = [0] * replicas
    rewards, rbar = np.zeros(replicas), np.zeros(replicas)
    ended: list[int] = []
    while True:
        actions = agent.step(encode(observations)).argmax(1).tolist()
        for b, env_step in env_steps:
            observations[b], rewards[b], terminated, truncated, _ = env_step(actions[b])
            if terminated or truncated:
                ended.append(b)
        m = rewards - rbar
        rbar += BASELINE_RATE * m
        agent.learn(m)
        if ended:
            agent.reset(ended)
            for b in ended:
                episodes[b] += 1
                observations[b], _ = envs[b].reset(seed=episode_seed(b, episodes[b]))
            ended.clear()
        yield replicas
