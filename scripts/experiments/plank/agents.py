"""Train agents for the levels of Plank's CartPole, and play them in three arithmetics.

Two agents for each level: one in floats, played also in Loihi's integers; one trained in Xylo's
integers, which fits XyloAudio 3 where there are two actions. Where velocities are hidden, the host
tells both how far each number moved since the step before (``memories``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from experiments.plank.levels import PUBLISHED, Level
from experiments.plank.neurobench import connection_sparsity, footprint, weights_in_force
from neurorl import SpikingActorCritic, evaluate
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.models import CubaLIF
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Fourier, GaussianCells
from neurorl.tasks.environments import make_env

LESSON = 500
"""Let an episode of training last at most so many steps; those that are measured have 15,000."""

SURVIVAL, BEGIN, END = 0.5, 150, 350
"""Pay so much of Medium's reward for a step, whatever is done, in training on Xylo: all of it up to
one episode, from then on less and less, and from another one on as much as this."""

_HIGH = (2.4, 3.0, 0.21, 3.0)
_HIGH_OF_POSITIONS = (2.4, 0.21, 0.06, 0.06)  # and of their changes in a step
_VOTERS = 8
_RATES = {"alpha_output": 0.36, "alpha_hidden": 2.4, "policy.beta": 0.15, "critic.alpha": 0.1}
"""Learn at the rates of CartPole-v1's preset."""


@dataclass(frozen=True)
class Course:
    """Hold how an agent is made for a level: episodes of training, and fields of the agent."""

    episodes: int
    fields: dict[str, Any]


@dataclass(frozen=True)
class PlankRow:
    """Hold what one agent did on one level in one arithmetic.

    score: mean over episodes; least: of one. published: mean over the starts of `PUBLISHED`.
    footprint: bytes of all weights. connection_sparsity: the share of weights that are 0. What
    follows is NeuroBench's, means over decisions.
    """

    level: str
    learned_in: str
    played_in: str
    seed: int
    episodes: int
    score: float
    least: float
    published: float
    footprint: int
    connection_sparsity: float
    activation_sparsity: float
    dense: float
    effective_macs: float
    effective_acs: float


class FirstSurvival(gym.Wrapper[Any, Any, Any, Any]):
    """Pay 1 for each step at first, and in later episodes more and more of a level's reward."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._episode = -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._episode += 1
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        seen, reward, fallen, truncated, info = self.env.step(action)
        share = (1.0 - SURVIVAL) * np.clip((self._episode - BEGIN) / (END - BEGIN), 0.0, 1.0)
        return seen, float(1.0 + share * (float(reward) - 1.0)), fallen, truncated, info


def course(level: Level, arithmetic: str) -> Course:
    """Return how an agent learns a level in ``'float'`` or ``'xylo'``."""
    if find_arithmetic(arithmetic).counts_spikes:
        return Course(300 if level.share is None else 600, _of_xylo(level))
    if not level.velocities:
        return Course(300, _seen(level, 6))
    preset = make_config(make_env("CartPole-v1"), "lif")
    return Course(400, {"cells": preset.cells, "features": preset.features, **_RATES})


def _of_xylo(level: Level) -> dict[str, Any]:
    """Return an agent of 12 or 16 inputs, deterministic neurons, and votes by output neurons."""
    return {
        **_seen(level, 3 if level.velocities else 4),
        "neuron": CubaLIF(_tau(1), _tau(2), threshold=1.0),
        "actors": _VOTERS,
        "bias": False,
        **({**_RATES, "gamma": 0.99} if level.velocities else {}),
    }


def _seen(level: Level, cells: int) -> dict[str, Any]:
    """Return so many cells for each number, and the change of each where velocities are hidden."""
    high = _HIGH if level.velocities else _HIGH_OF_POSITIONS
    low = tuple(-x for x in high)
    return {
        "cells": GaussianCells(low, high, cells=cells),
        "features": Fourier(low, high, order=3),
        "memories": () if level.velocities else (0.0,),
    }


def _tau(shift: int) -> float:
    """Return the time constant (s) of a decay by a shift on Xylo, in steps of 1 ms."""
    return -1e-3 / math.log(1.0 - 2.0**-shift)


def lesson(level: Level, arithmetic: str) -> gym.Env[Any, Any]:
    """Return the environment of training."""
    env = gym.make(level.env, max_episode_steps=LESSON)
    is_first = level.share and find_arithmetic(arithmetic).counts_spikes
    return FirstSurvival(env) if is_first else env


def trained(
    level: Level, arithmetic: str, seed: int, episodes: int | None = None
) -> SpikingActorCritic:
    """Return an agent that learned a level."""
    how = course(level, arithmetic)
    agent = SpikingActorCritic(
        lesson(level, arithmetic), seed=seed, backend=f"native:{arithmetic}", **how.fields
    )
    agent.learn(total_episodes=episodes or how.episodes)
    return agent


def played(
    agent: SpikingActorCritic,
    level: Level,
    arithmetic: str,
    episodes: int,
    mission: int = 0,
    **arguments: Any,
) -> tuple[list[float], dict[str, Any]]:
    """Return the score of each episode, and what a decision cost.

    Actions are those of most votes. On Medium they are drawn by the policy: the action of most
    votes is nearly always to do nothing, until the cart has drifted away.

    mission: the most steps of an episode, 0 for the level's own. arguments: of the environment.
    """
    scores: list[float] = []
    env = gym.make(level.env, max_episode_steps=mission or None, **arguments)
    told = evaluate(
        agent,
        episodes,
        seed=1,
        env=env,
        backend="native",
        arithmetic=arithmetic,
        callback=lambda _, total: scores.append(total),
        replicas=episodes,
        explore=level.share is not None,
    )
    return scores, dict(told)


def published(agent: SpikingActorCritic, level: Level, arithmetic: str, mission: int = 0) -> float:
    """Return the mean score of an episode from each of the authors' published starts."""
    starts = [played(agent, level, arithmetic, 1, mission, state=state)[0] for state in PUBLISHED]
    return float(np.mean(starts))


def rows_of(level: Level, seed: int, episodes: int, quick: bool = False) -> Iterator[PlankRow]:
    """Yield the rows of one seed: in floats, in Loihi's integers, and in Xylo's."""
    few, mission = (5, 60) if quick else (None, 0)
    for learned_in, played_in in (("float", ("float", "loihi")), ("xylo", ("xylo",))):
        agent = trained(level, learned_in, seed, few)
        for arithmetic in played_in:
            scores, cost = played(agent, level, arithmetic, episodes, mission)
            weights = weights_in_force(agent, arithmetic)
            yield PlankRow(
                level=level.name,
                learned_in=learned_in,
                played_in=arithmetic,
                seed=seed,
                episodes=episodes,
                score=float(np.mean(scores)),
                least=min(scores),
                published=published(agent, level, arithmetic, mission),
                footprint=footprint(weights, arithmetic),
                connection_sparsity=connection_sparsity(weights),
                activation_sparsity=cost["activation_sparsity"],
                dense=cost["dense_synops_per_decision"],
                effective_macs=cost["effective_macs_per_decision"],
                effective_acs=cost["effective_acs_per_decision"],
            )
