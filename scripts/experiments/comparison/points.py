"""Stop agents at some points of their training, and prepare what is asked of them there."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from experiments.catalogue import Experiment, Task
from experiments.comparison.decisions import Frozen
from experiments.comparison.quality import Amount
from experiments.comparison.sources import Source
from experiments.run import Plan, run_path
from neurorl.agents.episodes import Episode
from neurorl.agents.local import SpikingActorCritic
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import derive
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train_seeds
from neurorl.tasks.environments import make_env

POINTS = (0, 25, 50, 100)
"""Save agents at these percentages of a run's episodes."""

LAST = 20
_PLAY = 8  # purpose of derived seeds


@dataclass(frozen=True)
class Point:
    """Hold an agent that has had *share* per cent of its training, so many *episodes*.

    checkpoint: as it is then; before the first episode, the first of those after it, for its
    critic: one that knows nothing gives no advantage to any action.
    """

    task: Task
    seed: int
    share: int
    episodes: int
    run: Path
    checkpoint: Path

    @property
    def returns(self) -> float | None:
        """Return the mean figure of its last `LAST` training episodes."""
        column = "discounted_return" if self.task.discounted else "return"
        played = RunDirectory(self.run).read_episodes()[column][: self.episodes]
        return float(np.mean(played[-LAST:])) if len(played) else None


def points_of(
    source: Source, plan: Plan, callback: Callable[[Episode], None] | None = None
) -> list[Point]:
    """Return `POINTS` of the run of each seed of *plan*, which is trained if it isn't there."""
    total = plan.episodes or source.experiment.episodes
    runs = {seed: run_path(plan, source.name, seed) for seed in plan.seeds}
    episodes = {share: max(1, total * share // 100) for share in POINTS[1:]}
    for share, n in episodes.items():
        todo = [(s, run) for s, run in runs.items() if not _checkpoint(run, share).exists()]
        if todo:
            _train(source, plan, todo, n, callback)
        for _, run in todo:
            shutil.copy(RunDirectory(run).checkpoint, _checkpoint(run, share))
    return [
        Point(
            *(source.task, seed, share, episodes.get(share, 0), run),
            _checkpoint(run, share or POINTS[1]),
        )
        for seed, run in runs.items()
        for share in POINTS
    ]


def _checkpoint(run: Path, share: int) -> Path:
    return run / f"checkpoint-{share}.npz"


def _train(
    source: Source,
    plan: Plan,
    todo: list[tuple[int, Path]],
    episodes: int,
    callback: Callable[[Episode], None] | None,
) -> None:
    e = source.experiment
    local = isinstance(e, Experiment)
    train_seeds(
        e.task.env,
        todo,
        approach="local" if isinstance(e, Experiment) else e.approach,
        backend=(plan.backend or "native") if local else None,
        arithmetic=e.arithmetic,
        model=e.model,
        episodes=episodes,
        resume=any(run.exists() for _, run in todo),
        overrides=e.overrides if isinstance(e, Experiment) else None,
        gradient=None if isinstance(e, Experiment) else e.gradient,
        callback=callback,
    )


def freeze(point: Point, backend: str, amount: Amount) -> Frozen:
    """Return the agent of a point, its states and the value of each action there.

    Values are ``r + gamma V(s')`` by the agent's own critic.
    """
    agent = SpikingActorCritic.load(point.checkpoint, backend=backend)
    critic = agent.memory.value.copy()
    if not point.episodes:
        agent.close()
        agent = SpikingActorCritic(
            agent.env_id, backend=backend, seed=point.seed, config=agent.config
        )
    states = _states(agent, point, amount)
    frozen = Frozen(
        config=agent.config,
        network=agent.network,
        weights={name: w.copy() for name, w in agent.weights.items()},
        signs={name: s.copy() for name, s in agent.memory.signs.items()},
        flat=np.stack([agent.config.cells.flat(s.observation) for s in states]),
        advantages=np.stack([_values(agent, s.env, critic) for s in states]),
    )
    agent.close()
    return frozen


@dataclass(frozen=True)
class _State:
    """Hold what an agent has seen, and a copy of the environment that showed it."""

    observation: Any
    env: gym.Env[Any, Any]


def _states(agent: SpikingActorCritic, point: Point, amount: Amount) -> list[_State]:
    """Draw states evenly from the first decisions of an agent that plays by its policy."""
    env = make_env(agent.env_id)
    player = agent.player(derive(point.seed, _PLAY, point.share), explore=True)
    rng = np.random.default_rng(derive(point.seed, _PLAY, point.share + 1000))
    states: list[_State] = []
    observation, over = None, True
    for k in range(amount.played):
        if over:
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
            player.begin()
        place = k if k < amount.states else int(rng.integers(k + 1))
        if place < amount.states:  # so that each of those until now is as likely to be among them
            states[place : place + 1] = [_State(copy.copy(observation), copy.deepcopy(env))]
        action = player.move(observation).action + agent.first_action
        observation, _, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
    player.backend.close()
    env.close()
    return states


def _values(agent: SpikingActorCritic, env: gym.Env[Any, Any], critic: FloatArray) -> FloatArray:
    """Return, for each action, the reward and the critic's value of the state after it."""
    values = []
    for action in range(int(env.action_space.n)):  # type: ignore[attr-defined]
        after, reward, terminated, *_ = copy.deepcopy(env).step(action + agent.first_action)
        value = 0.0 if terminated else float(agent.config.features(after) @ critic)
        values.append(agent.config.reward_scale * float(reward) + agent.config.gamma * value)
    return np.array(values)
