"""`SpikingActorCritic`: describe, learn, predict, save, load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.backend import load as load_backend
from neurorl.backends.base import Backend
from neurorl.checkpoint import read_checkpoint, write_checkpoint
from neurorl.config import AgentConfig
from neurorl.critic import LinearCritic
from neurorl.envs import discrete_actions, make_env
from neurorl.errors import ArgumentError, RunError, say
from neurorl.learner import Learner
from neurorl.player import Player
from neurorl.presets import make_config
from neurorl.random import derive
from neurorl.rule import td_error

__all__ = ["Episode", "SpikingActorCritic", "read_agent"]

_RESET, _PREDICT = 1, 2  # purposes of derived seeds


@dataclass(frozen=True)
class Episode:
    """What one episode came to; env_steps counts from the start of training, wall_s its seconds."""

    episode: int
    ret: float
    length: int
    env_steps: int
    discounted: float
    wall_s: float


class SpikingActorCritic:
    """An actor of spiking neurons that learns by a local three-factor rule and a TD critic.

    env: a Gymnasium id, or an environment with discrete actions. model: ``'lif'`` or ``'glm'``.
    backend: ``'reference'``, ``'brian2'`` or ``'loihi'``. arithmetic: ``'float'`` or ``'loihi'``;
    None is the backend's own. seed: decides everything. config: replaces model and overrides.
    backend_options: go to the backend's class. overrides: fields of `AgentConfig`.

    The same seed gives the same episodes, bit for bit, whatever else was done in between.

    >>> from neurorl import SpikingActorCritic
    >>> agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="reference", seed=1)
    >>> len(agent.learn(2))
    2
    """

    def __init__(
        self,
        env: str | gym.Env[Any, Any],
        model: str = "lif",
        backend: str = "reference",
        arithmetic: str | None = None,
        seed: int = 0,
        config: AgentConfig | None = None,
        backend_options: dict[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        self.env = make_env(env) if isinstance(env, str) else env
        space = discrete_actions(self.env, env if isinstance(env, str) else "")
        self.env_id = env if isinstance(env, str) else (env.spec.id if env.spec else "")
        self.config = config or make_config(self.env, model, overrides)
        self.seed = seed
        self.backend_name = backend
        self._backend_options = backend_options or {}
        self.first_action = int(space.start)
        self._n_actions = int(space.n)
        self.network = self.config.network(self._n_actions)
        self.backend = self._load_backend(seed, arithmetic)
        self.arithmetic = self.backend.arithmetic_name
        self._player = Player(self.config, self.backend, self._n_actions, seed)
        self._learner = Learner(self.network, self.config, self.backend)
        self._critic = LinearCritic(
            self.config.features.size,
            self.config.alpha_critic,
            self.config.gamma * self.config.lambda_critic,
        )
        self._predictor: Player | None = None
        self.episodes: list[Episode] = []

    @property
    def env_steps(self) -> int:
        """Environment steps learned from so far."""
        return self.episodes[-1].env_steps if self.episodes else 0

    def learn(
        self, total_episodes: int, callback: Callable[[Episode], None] | None = None
    ) -> list[Episode]:
        """Train until *total_episodes* have been played in all; returns the new ones.

        callback: called after each episode.
        """
        if isinstance(total_episodes, bool) or not isinstance(total_episodes, (int, np.integer)):
            raise ArgumentError(say("learn", "total_episodes is not a whole number"))
        new = []
        while len(self.episodes) < total_episodes:
            episode = self._learn_episode()
            self.episodes.append(episode)
            self._predictor = None
            new.append(episode)
            if callback is not None:
                callback(episode)
        return new

    def predict(self, observation: Any) -> int:
        """The action with the most votes; ties are drawn. Leaves training as it is."""
        if self._predictor is None:
            self._predictor = self.player(derive(self.seed, _PREDICT, len(self.episodes)))
        return self._predictor.move(observation, explore=False).action + self.first_action

    def player(
        self, seed: int, backend: str | None = None, arithmetic: str | None = None
    ) -> Player:
        """The network as it is now, to be played without learning; on another backend if asked."""
        if backend is None or backend == self.backend_name:
            backend, options = self.backend_name, self._backend_options
            arithmetic = arithmetic or self.arithmetic
        else:
            options = {}
        compiled = load_backend(backend, self.network, seed=seed, arithmetic=arithmetic, **options)
        for name, weights in self._learner.weights.items():
            compiled.set_weights(name, weights)
        return Player(self.config, compiled, self._n_actions, seed)

    def save(self, path: str | Path) -> None:
        """Write the agent to one file (npz, no pickle), atomically."""
        write_checkpoint(Path(path), self.describe(), self.state())

    @classmethod
    def load(
        cls,
        path: str | Path,
        backend: str | None = None,
        arithmetic: str | None = None,
        env: str | gym.Env[Any, Any] | None = None,
        backend_options: dict[str, Any] | None = None,
    ) -> Self:
        """The agent of a file written by `save`, or of a run directory.

        backend, arithmetic: None takes those it was trained on; with another backend and no
        arithmetic named, that backend's own. env: needed if it had no id.
        Raises RunError for a file that is missing, damaged or of something else.
        """
        described, arrays = read_agent(Path(path))
        same = backend is None or backend == described["backend"]
        agent = cls(
            env or described["env"],
            backend=backend or described["backend"],
            arithmetic=arithmetic or (described["arithmetic"] if same else None),
            seed=described["seed"],
            config=AgentConfig.from_dict(described["config"]),
            backend_options=backend_options,
        )
        agent.restore(arrays, moved=not same or agent.arithmetic != described["arithmetic"])
        return agent

    def describe(self) -> dict[str, Any]:
        """What the agent is, as plain data."""
        return {
            "env": self.env_id,
            "backend": self.backend_name,
            "arithmetic": self.arithmetic,
            "seed": self.seed,
            "config": self.config.to_dict(),
        }

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What it has learned, as arrays, between two episodes."""
        columns = {
            "return": [e.ret for e in self.episodes],
            "length": [e.length for e in self.episodes],
            "env_steps": [e.env_steps for e in self.episodes],
            "discounted": [e.discounted for e in self.episodes],
            "wall_s": [e.wall_s for e in self.episodes],
        }
        return {
            **{f"backend.{key}": value for key, value in self.backend.state().items()},
            **{f"learner.{key}": value for key, value in self._learner.state().items()},
            **{f"episodes.{key}": np.array(value, dtype=float) for key, value in columns.items()},
            "critic": self._critic.weights.copy(),
            "decisions": np.array(self._player.decisions),
        }

    def restore(self, state: dict[str, npt.NDArray[Any]], moved: bool = False) -> None:
        """Go on from `state`; *moved* if it comes from another backend or arithmetic."""
        try:
            if not moved:
                self.backend.restore(_under(state, "backend."))
            self._learner.restore(_under(state, "learner."))
            self._critic.weights[:] = state["critic"]
            self._critic.reset()
            self._player.decisions = int(state["decisions"])
            rows = _under(state, "episodes.")
            self.episodes = list(_episodes(rows))
        except (KeyError, ValueError) as exc:
            raise RunError(say("checkpoint", "doesn't fit this agent", got=exc)) from exc
        self._predictor = None

    def close(self) -> None:
        """Free the backend and the environment."""
        self.backend.close()
        self.env.close()

    def _load_backend(self, seed: int, arithmetic: str | None) -> Backend:
        return load_backend(
            self.backend_name,
            self.network,
            seed=seed,
            arithmetic=arithmetic,
            **self._backend_options,
        )

    def _learn_episode(self) -> Episode:
        config, number = self.config, len(self.episodes)
        started = time.perf_counter()
        rate = config.rate(number)
        observation, _ = self.env.reset(seed=derive(self.seed, _RESET, number) & 0x7FFFFFFF)
        x = config.features(observation).copy()
        self._learner.reset()
        self._critic.reset()
        total = discounted = 0.0
        length = 0
        done = False
        while not done:
            move = self._player.move(observation, explore=True)
            observation, reward, terminated, truncated, _ = self.env.step(
                move.action + self.first_action
            )
            done = terminated or truncated
            total += float(reward)
            discounted += config.gamma**length * float(reward)
            length += 1
            x_next = config.features(observation).copy()
            delta = td_error(
                config.reward_scale * float(reward),
                0.0 if terminated else config.gamma,
                self._critic.value(x),
                self._critic.value(x_next),
            )
            self._learner.remember(move.inputs, move.rasters, move.action, move.policy)
            self._learner.learn(_limited(delta, config.modulator_limit), rate)
            self._critic.update(x, delta, rate)
            x = x_next
        wall = time.perf_counter() - started
        return Episode(number, total, length, self.env_steps + length, discounted, wall)


def read_agent(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Description and arrays of a saved agent: a file, or a run directory. Raises RunError."""
    if path.is_dir():
        if not (path / "config.json").exists():
            raise RunError(say(f"run {path}", "is not a run: config.json is missing"))
        path = path / "checkpoint.npz"
    return read_checkpoint(path)


def _limited(delta: float, limit: float | None) -> float:
    return delta if limit is None else max(-limit, min(limit, delta))


def _under(state: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _episodes(rows: dict[str, npt.NDArray[Any]]) -> Iterator[Episode]:
    for k in range(len(rows["return"])):
        yield Episode(
            k,
            float(rows["return"][k]),
            int(rows["length"][k]),
            int(rows["env_steps"][k]),
            float(rows["discounted"][k]),
            float(rows["wall_s"][k]),
        )
