"""The verbs that agents of every approach have: learn, predict, save."""

from __future__ import annotations

import abc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.arguments import path_of
from neurorl.checkpoint import write_checkpoint
from neurorl.envspec import describe_env, warn_unsaved
from neurorl.errors import ArgumentError, UnsupportedError, say
from neurorl.player import Player
from neurorl.random import derive
from neurorl.replicas import Episode, describe

__all__ = ["LearningAgent"]

_PREDICT = 2  # purpose of derived seeds


class LearningAgent(abc.ABC):
    """One agent of one environment; its replicas are a group of one.

    arithmetic: in which it learns. first_action: the number of the environment's first action.
    episodes: all that it has played.
    """

    env: gym.Env[Any, Any]
    env_id: str
    seed: int
    arithmetic: str
    first_action: int
    episodes: list[Episode]
    _replicas: Any
    _learned_in: str
    _predictor: Player | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """An agent is of compiled code and open environments: nothing can copy or pickle it."""
        remedy = "agent.save(path), and SpikingActorCritic.load(path) for another one"
        raise UnsupportedError(say("agent", "can't be copied or pickled", remedy=remedy))

    @property
    def env_steps(self) -> int:
        """Environment steps learned from so far, in all of its environments."""
        steps: int = self._replicas.env_steps(0)
        return steps

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Its populations now, as plain data; see `neurorl.diagnostics.Monitor.table`."""
        table: dict[str, Any] = self._replicas.diagnostics(0)
        return table

    def learn(
        self, total_episodes: int, callback: Callable[[Episode], None] | None = None
    ) -> list[Episode]:
        """Train until *total_episodes* have been played in all; returns the new ones.

        callback: called for each episode, by gradients after the update that it was a part of.
        Warns with `PopulationWarning` of a population that is silent, saturated or otherwise lost;
        see `neurorl.diagnostics`.
        """
        if isinstance(total_episodes, bool) or not isinstance(total_episodes, (int, np.integer)):
            raise ArgumentError(say("learn", "total_episodes is not a whole number"))
        before = len(self.episodes)

        def after(_: int, episode: Episode) -> None:
            self._predictor = None
            if callback is not None:
                callback(episode)

        self._learned_in = self.arithmetic
        self._replicas.learn(int(total_episodes), after)
        return self.episodes[before:]

    def predict(self, observation: Any) -> int:
        """The action with the most votes; ties are drawn. Leaves training as it is."""
        if self._predictor is None:
            self._predictor = self.player(derive(self.seed, _PREDICT, len(self.episodes)))
        return self._predictor.move(observation).action + self.first_action

    @abc.abstractmethod
    def player(self, seed: int) -> Player:
        """The network as it is now, to be played without learning."""

    def save(self, path: str | Path) -> None:
        """Write the agent to one file (npz, no pickle), atomically.

        Warns with `EnvironmentWarning` of what its environment has that a file can't hold.
        """
        where = path_of(path)
        described = self.describe()
        warn_unsaved(self.env, described["env_spec"])
        write_checkpoint(where, described, self.state())

    def describe(self) -> dict[str, Any]:
        """What the agent is, as plain data."""
        return describe(self.env_id, self._replicas, 0, describe_env(self.env))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What it has learned, as arrays, between two episodes (by gradients: two updates)."""
        arrays: dict[str, npt.NDArray[Any]] = self._replicas.state(0)
        return arrays

    def adopt(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Begin, before any learning, with the weights and the critic of another agent's `state`.

        Raises RunError if its network is another.
        """
        self._replicas.adopt(0, state)
        self._predictor = None

    def close(self) -> None:
        """Free the backend and the environments."""
        self._replicas.close()
