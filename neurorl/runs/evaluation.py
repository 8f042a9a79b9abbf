"""Play an agent without learning, and count what it cost in spikes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from neurorl.agents.arguments import check_callable, check_count, check_kind, own_env
from neurorl.agents.base import LearningAgent
from neurorl.agents.local import SpikingActorCritic
from neurorl.agents.player import Player
from neurorl.agents.saved import Setting, played_on, read_agent
from neurorl.errors import ArgumentError, EnvironmentWarning, format_message, warn_outside
from neurorl.inspection.cost import FIGURES, Figures, Tally
from neurorl.learning.finite import NotFiniteError, bad_reward, bad_sum, explained
from neurorl.numerics.random import derive, read_seed
from neurorl.reading import Place, check_fields, read_json
from neurorl.tasks.actions import MASK, read_actions
from neurorl.tasks.answers import Answers

if TYPE_CHECKING:
    from neurorl.reparameterization.agent import ReparameterizedActorCritic

__all__ = ["Evaluation", "evaluate", "load_to_play", "read_cost"]

LONG = 100_000
"""Warn after this many steps of one episode that it may have no end."""

_LARGEST = 2**20
_PLAY, _RESET = 3, 4  # purposes of derived seeds


class Evaluation(Figures):
    """Say how an agent played, and what a decision cost."""

    env: str
    backend: str
    arithmetic: str
    noise: str
    seed: int
    episodes: int
    mean_return: float
    std_return: float
    mean_discounted_return: float


def evaluate(
    agent: SpikingActorCritic | ReparameterizedActorCritic,
    episodes: int = 100,
    *,
    seed: int = 0,
    backend: str | None = None,
    arithmetic: str | None = None,
    explore: bool = False,
    noise: str | None = None,
    backend_options: Mapping[str, Any] | None = None,
    env: str | gym.Env[Any, Any] | None = None,
    callback: Callable[[int, float], None] | None = None,
) -> Evaluation:
    """Return the mean return over *episodes* with the weights as they are.

    The neurons stay stochastic; the action is the one with the most votes, or drawn from the policy
    if *explore*. seed: of noise and environment, apart from the training's. backend, arithmetic,
    noise, backend_options: as in `SpikingActorCritic.player`. env: an id or an environment to play
    instead of the agent's own. Raises EnvError for a reward or an observation
    that isn't finite, and for whatever else an environment can do wrong.
    """
    check_kind("evaluate, agent", agent, LearningAgent, optional=False)
    check_count("evaluate, episodes", episodes)
    check_callable("evaluate, callback", callback)
    seed = read_seed(seed, "evaluate.seed")
    played, env_id = _to_play(agent, env)
    answers = Answers(played)
    player = agent.player(
        derive(seed, _PLAY, agent.seed),
        backend,
        arithmetic,
        explore,
        noise,
        backend_options=backend_options,
    )
    network = player.backend.network
    tally = Tally(network, {p.name: player.backend.weights(p.name) for p in network.projections})
    returns, discounted = [], []
    with player.backend:
        for k in range(episodes):
            reset_seed = derive(seed, _RESET, k) & 0x7FFFFFFF
            score = _play(agent, answers, player, tally, reset_seed, k)
            total, total_discounted = score
            returns.append(total)
            discounted.append(total_discounted)
            if callback is not None:
                callback(k, total)
    return {
        "env": env_id,
        "backend": player.backend.name,
        "arithmetic": player.backend.arithmetic_name,
        "noise": player.backend.noise,
        "seed": seed,
        "episodes": episodes,
        "mean_return": float(np.mean(returns)),
        "std_return": float(np.std(returns)),
        "mean_discounted_return": float(np.mean(discounted)),
        **tally.per_decision(),
    }


def _play(
    agent: LearningAgent,
    answers: Answers,
    player: Player,
    tally: Tally,
    seed: int,
    k: int,
) -> tuple[float, float]:
    """Play the k-th episode; return its return, and the discounted one."""
    observation = answers.reset(seed)
    mask = answers.info.get(MASK) if isinstance(answers.info, Mapping) else None
    masks = mask is not None and agent.is_masked
    config, taken = agent.config, agent.actions.taken
    player.begin()
    done, total, total_discounted, factor, step = False, 0.0, 0.0, 1.0, 0
    while not done:
        try:
            move = player.move(observation, mask if masks else None)
        except NotFiniteError as exc:
            raise explained(_when(k, step), exc) from exc
        step += 1
        answer = answers.step(taken(move.action))
        observation, reward, terminated, truncated, info = answer
        mask = info.get(MASK) if masks else None
        if step == LONG:
            what, remedy = f"has lasted {step} steps", "wrap it in gymnasium.wrappers.TimeLimit"
            message = format_message(f"{answers.where}, an episode", what, remedy=remedy)
            warn_outside(message, EnvironmentWarning)
        if not math.isfinite(reward):
            raise bad_reward(_when(k, step), reward)
        done = terminated or truncated
        total += reward
        total_discounted += factor * reward
        factor *= config.gamma
        tally.add({**move.inputs, **move.rasters}, config.window)
    if not math.isfinite(total):
        raise bad_sum(_when(k, step), total)
    return total, total_discounted


def _when(episode: int, step: int) -> str:
    """Say when, for an error; step 0 is the reset."""
    return f"evaluation, episode {episode}, step {step}"


def _to_play(
    agent: SpikingActorCritic | ReparameterizedActorCritic, env: str | gym.Env[Any, Any] | None
) -> tuple[gym.Env[Any, Any], str]:
    """Return the environment to play and its id. Raises ArgumentError if it doesn't fit."""
    if env is None:
        return agent.lend_env(), agent.env_id
    other, name = own_env(env)
    n, mine = read_actions(other).groups(1), agent.actions.groups(1)
    if n != mine or read_actions(other).is_continuous != agent.actions.is_continuous:
        what = "has another number of actions than the agent"
        raise ArgumentError(f"environment {name}", what, got=n, limit=mine)
    return other, name


def load_to_play(
    path: Path,
    backend: str | None = None,
    arithmetic: str | None = None,
    noise: str | None = None,
    env: str | gym.Env[Any, Any] | None = None,
    trust_env: bool = False,
) -> tuple[SpikingActorCritic, Setting]:
    """Load an agent that won't learn on, and choose its backend, arithmetic and noise.

    env, trust_env: as in `SpikingActorCritic.load`. The others are options of `evaluate` and
    `SpikingActorCritic.player`, see `neurorl.agents.local.played_on`.
    Only what plays is compiled: the reference holds the weights until then.
    """
    described, _ = read_agent(path)
    floats = described.config.writes.has_shadow or described.algorithm.keeps_floats
    kept_in = "float" if floats else described.arithmetic
    agent = SpikingActorCritic.load(
        path,
        backend="reference",
        arithmetic=kept_in,
        env=env,
        learning="host",
        trust_env=trust_env,
    )
    return agent, played_on(described, backend, arithmetic, noise)


def read_cost(run: Path) -> dict[str, float]:
    """Read what a decision cost from a run's ``evaluation.json``; empty if it has none.

    Raises RunError if that file is damaged.
    """
    file = run / "evaluation.json"
    if not os.path.lexists(file):
        return {}
    place = Place(f"file {file}", remedy="remove it")
    found = read_json(file, place, _LARGEST)
    check_fields(found, place, {}, dict.fromkeys(FIGURES, float))
    return {key: float(found[key]) for key in FIGURES if key in found}
