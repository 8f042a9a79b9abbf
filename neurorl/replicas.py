"""Agents of one kind that learn side by side in one compiled network."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arguments import check_count, check_kind, check_names, check_options
from neurorl.backend import backend_class, backend_type
from neurorl.backend import load as load_backend
from neurorl.backends.base import Backend
from neurorl.backends.checks import check_seeds
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.diagnostics import Monitor
from neurorl.envgroup import EnvGroup
from neurorl.errors import ArgumentError, PopulationWarning, RunError, UnsupportedError, say
from neurorl.finite import NotFiniteError, bad_reward, bad_sum, check_learned, explained
from neurorl.loop import make_loop
from neurorl.random import derive

__all__ = [
    "Episode",
    "Replicas",
    "State",
    "describe",
    "episode_columns",
    "episodes_from",
    "learning_options",
    "under",
    "warn",
]

_RESET = 1  # purpose of derived seeds
State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Episode:
    """What one episode came to; env_steps counts from the start of training.

    wall_s: its seconds, by which episodes are not compared; 0.0 where nobody measured them here:
    of an agent that was loaded, as equal agents have equal files. ``episodes.csv`` keeps them.
    """

    episode: int
    ret: float
    length: int
    env_steps: int
    discounted: float
    wall_s: float = field(compare=False)


class Replicas:
    """N agents with one configuration, each with its own weights, seed and environment.

    They decide and learn in the same calls, and never hear of each other: agent k plays the same
    episodes, bit for bit, as one alone with its seed.

    envs: as many as *seeds*. backend, arithmetic, loop, options: as in `SpikingActorCritic`.
    """

    approach = "local"

    def __init__(
        self,
        envs: EnvGroup,
        config: AgentConfig,
        n_actions: int,
        seeds: Sequence[int],
        *,
        backend: str | type[Backend],
        arithmetic: str | None = None,
        loop: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        seeds = check_seeds(seeds)
        check_kind("replicas, envs", envs, EnvGroup, optional=False)
        check_kind("replicas, config", config, AgentConfig, optional=False)
        check_count("replicas, n_actions", n_actions)
        check_options("replicas, options", options)
        check_names(arithmetic=arithmetic, loop=loop)
        if envs.n != len(seeds):
            raise ArgumentError(
                say("replicas", "as many environments as seeds", got=envs.n, limit=len(seeds))
            )
        self.envs = envs
        self.config = config
        self.backend_name = backend if isinstance(backend, str) else str(backend_type(backend).name)
        self.seeds = seeds
        self.network = config.network(n_actions)
        self.backend = load_backend(
            backend,
            self.network,
            seed=self.seeds if len(seeds) > 1 else seeds[0],
            arithmetic=arithmetic,
            **learning_options(config, backend),
            **(options or {}),
        )
        self.arithmetic_name = self.backend.arithmetic_name
        self.noise = self.backend.noise
        try:
            self.loop = make_loop(config, self.backend, n_actions, loop=loop)
        except BaseException:
            self.backend.close()
            raise
        self.episodes: list[list[Episode]] = [[] for _ in seeds]
        self._monitors = [
            Monitor(self.network, config, seed, k, partial(self.weights, k), envs.first_action)
            for k, seed in enumerate(seeds)
        ]
        self._resting: dict[int, State] = {}

    def env_steps(self, k: int) -> int:
        """Environment steps that agent k has learned from."""
        return self.episodes[k][-1].env_steps if self.episodes[k] else 0

    def learn(
        self, total_episodes: int, callback: Callable[[int, Episode], None] | None = None
    ) -> None:
        """Train until each agent has played *total_episodes* in all.

        callback: called with the agent's number after each of its episodes. Warns with
        `PopulationWarning` of what `neurorl.diagnostics` finds. Raises EnvError for a reward or an
        observation that isn't finite, before anything is learned from it, and DivergenceError when
        what is learned isn't.
        """
        for _ in self.play(total_episodes, callback):
            pass

    def play(
        self, total_episodes: int, callback: Callable[[int, Episode], None] | None = None
    ) -> Iterator[int]:
        """`learn`, one environment step of every agent at a time; yields how many took it."""
        playing = [k for k, done in enumerate(self.episodes) if len(done) < total_episodes]
        loop, gamma, scale = self.loop, self.config.gamma, self.config.reward_scale
        decide, see, learn, step = loop.decide, loop.see, loop.learn, self.envs.step
        reward_of, discount_of = loop.reward, loop.discount
        loop.active[:] = False
        self._wake(playing)
        scores = {k: self._begin(k) for k in playing}
        over: list[int] = []
        while playing:
            try:
                for k, observation, given, terminated, truncated, _ in step(decide(), playing):
                    see(k, observation)
                    reward = float(given)
                    reward_of[k] = scaled = scale * reward
                    score = scores[k]
                    score.length += 1
                    if not isfinite(scaled):
                        raise bad_reward(self._where(k, score.length), reward, scale)
                    discount_of[k] = 0.0 if terminated else gamma
                    score.total += reward
                    score.discounted += score.factor * reward
                    score.factor *= gamma
                    if terminated or truncated:
                        over.append(k)
                learn()
            except NotFiniteError as exc:
                where = self._where(exc.replica, scores[exc.replica].length)
                raise explained(where, exc) from exc
            yield len(playing)
            if over:
                for k in over:
                    scores[k] = self._end(k, scores[k], total_episodes, callback)
                over.clear()
                playing = [k for k in playing if loop.active[k]]

    def state(self, k: int) -> State:
        """What agent k has learned, as arrays, between two of its episodes.

        Raises DivergenceError if that isn't finite.
        """
        columns = episode_columns(self.episodes[k])
        self.loop.settle()
        learned = self.loop.memory.of(k).state()
        check_learned(f"seed {self.seeds[k]}", learned)
        simulated = self._resting.get(k) or self.backend.state(k)
        return {
            **{f"backend.{key}": value for key, value in simulated.items()},
            **learned,
            **{f"episodes.{key}": value for key, value in columns.items()},
            **{f"diagnostics.{key}": value for key, value in self._monitors[k].state().items()},
        }

    def restore(self, k: int, state: State, moved: bool = False) -> None:
        """Agent k goes on from `state`; *moved* if it is of another backend or arithmetic.

        Raises RunError if it doesn't fit.
        """
        self._resting.pop(k, None)
        self.loop.settle()  # weights of all are written below, and those on a chip are the truth
        try:
            if not moved:
                self.backend.restore(under(state, "backend."), k)
            self.loop.memory.of(k).restore(state)
            self.loop.write(k)
            self.episodes[k] = episodes_from(under(state, "episodes."))
            self._monitors[k].restore(under(state, "diagnostics."))
        except (KeyError, ValueError) as exc:
            raise RunError(say("checkpoint", "doesn't fit this agent", got=exc)) from exc

    def adopt(self, k: int, state: State) -> None:
        """Agent k, who has learned nothing yet, starts with the weights and the critic of another.

        state: of any agent with this network, whatever approach it learned by. Raises RunError.
        """
        self.loop.settle()
        try:
            self.loop.memory.of(k).adopt(state, self.network)
        except (KeyError, ValueError) as exc:
            raise RunError(say("checkpoint", "is of another network", got=exc)) from exc
        self.loop.write(k)
        self._monitors[k].begin()

    def weights(self, k: int) -> dict[str, FloatArray]:
        """Agent k's float weights."""
        self.loop.settle()
        return {name: weights[k] for name, weights in self.loop.memory.weights.items()}

    def diagnostics(self, k: int) -> dict[str, Any]:
        """Agent k's populations, see `neurorl.diagnostics.Monitor.table`."""
        return self._monitors[k].table(self.episodes[k])

    def warnings(self, k: int) -> list[dict[str, Any]]:
        """What was found wrong with agent k's populations, in order."""
        return self._monitors[k].warnings()

    def close(self) -> None:
        """Free the backend and the environments."""
        self.backend.close()
        self.envs.close()

    def _end(
        self,
        k: int,
        score: _Score,
        total_episodes: int,
        callback: Callable[[int, Episode], None] | None,
    ) -> _Score:
        """An episode of agent k is over; the score of its next one."""
        if not isfinite(score.total) or not isfinite(score.discounted):
            raise bad_sum(self._where(k, score.length), score.total)
        self.episodes[k].append(score.episode(self.env_steps(k)))
        loop = self.loop
        found = self._monitors[k].look(loop.window.rasters, loop.probabilities[k], self.episodes[k])
        if callback is not None:
            callback(k, self.episodes[k][-1])
        for message in found:
            warn(message)
        if len(self.episodes[k]) < total_episodes:
            return self._begin(k)
        self._rest(k)
        return score

    def _wake(self, playing: Sequence[int]) -> None:
        """Those that play go on from where they were; the others rest, whatever was done before."""
        for k in range(len(self.seeds)):
            if k not in playing:
                if playing and k not in self._resting:
                    self._rest(k)
            elif k in self._resting:
                self.backend.restore(self._resting.pop(k), k)

    def _where(self, k: int, step: int) -> str:
        """Which agent and when, for an error; step 0 is the reset."""
        return f"seed {self.seeds[k]}, episode {len(self.episodes[k])}, step {step}"

    def _rest(self, k: int) -> None:
        """Agent k has played enough: its state is kept, as its network steps on with the others."""
        self.loop.active[k] = False
        if len(self.seeds) > 1:
            self._resting[k] = self.backend.state(k)

    def _begin(self, k: int) -> _Score:
        number = len(self.episodes[k])
        score = _Score(number, time.perf_counter())
        self.loop.rate[k] = self.config.rate(number)
        seed = derive(self.seeds[k], _RESET, number) & 0x7FFFFFFF
        self.loop.see(k, self.envs.reset(k, seed))
        try:
            self.loop.begin(k)
        except NotFiniteError as exc:
            raise explained(self._where(k, 0), exc) from exc
        self.loop.active[k] = True
        return score


@dataclass(slots=True)
class _Score:
    """What an episode has come to so far."""

    number: int
    started: float
    total: float = 0.0
    discounted: float = 0.0
    factor: float = 1.0
    length: int = 0

    def episode(self, steps_before: int) -> Episode:
        wall = time.perf_counter() - self.started
        steps = steps_before + self.length
        return Episode(self.number, self.total, self.length, steps, self.discounted, wall)


def describe(env_id: str, replicas: Any, k: int, env_spec: dict[str, Any]) -> dict[str, Any]:
    """What agent k of replicas of any kind is, as plain data, for its checkpoints.

    env_spec: as `neurorl.envspec.describe_env` gives it.
    """
    gradient = getattr(replicas, "gradient", None)
    return {
        "env": env_id,
        "env_spec": env_spec,
        "approach": replicas.approach,
        "backend": replicas.backend_name,
        "arithmetic": replicas.arithmetic_name,
        "noise": replicas.noise,
        "seed": replicas.seeds[k],
        "config": replicas.config.to_dict(),
        **({} if gradient is None else {"gradient": gradient.to_dict()}),
    }


def learning_options(config: AgentConfig, backend: str | type[Backend]) -> dict[str, Any]:
    """What a backend must be told if weights learn in it. Raises UnsupportedError if they can't."""
    if config.learning == "host":
        return {}
    cls = backend_class(backend) if isinstance(backend, str) else backend
    if config.learning not in cls.capabilities.learnings:
        what = f"can't learn {config.learning!r} by itself"
        remedy = "backend 'loihi', or learning 'host'"
        raise UnsupportedError(say(f"backend {cls.name}", what, remedy=remedy))
    return {"learning": config.learning, "pes_magnitude": config.pes_magnitude}


def warn(message: str) -> None:
    """`PopulationWarning`, as if from the line outside of this package that has agents learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("neurorl."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, PopulationWarning, stacklevel=level)


def under(state: State, prefix: str) -> State:
    """The arrays whose names begin with *prefix*, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


_COLUMNS = {
    "return": "ret",
    "length": "length",
    "env_steps": "env_steps",
    "discounted": "discounted",
}


def episode_columns(played: Sequence[Episode]) -> State:
    """Episodes as arrays, without the time that they took: equal agents have equal states."""
    return {
        key: np.array([getattr(e, name) for e in played], dtype=float)
        for key, name in _COLUMNS.items()
    }


def episodes_from(columns: State, first: int = 0) -> list[Episode]:
    """What `episode_columns` described, numbered from *first*. Raises KeyError or ValueError."""
    # Files of before have the times.
    times = columns.get("wall_s", np.zeros(len(columns["return"])))
    rows = zip(*(columns[key] for key in _COLUMNS), times, strict=True)
    return [
        Episode(n, float(ret), int(length), int(steps), float(discounted), float(wall))
        for n, (ret, length, steps, discounted, wall) in enumerate(rows, first)
    ]
