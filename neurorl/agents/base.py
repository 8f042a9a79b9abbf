"""The verbs that agents of every approach have: learn, predict, save."""

from __future__ import annotations

import abc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy.typing as npt

from neurorl.agents.arguments import path_of
from neurorl.agents.budget import check_budget
from neurorl.agents.checkpoint import write_checkpoint
from neurorl.agents.player import Player
from neurorl.agents.replicas import Episode, describe
from neurorl.errors import UnsupportedError, say
from neurorl.numerics.random import derive
from neurorl.tasks.specification import describe_env, warn_unsaved

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
        """Return its populations as plain data; see `neurorl.diagnostics.monitor.Monitor.table`."""
        table: dict[str, Any] = self._replicas.diagnostics(0)
        return table

    def learn(
        self,
        total_episodes: int | None = None,
        callback: Callable[[Episode], None] | None = None,
        *,
        total_steps: int | None = None,
    ) -> list[Episode]:
        """Train until *total_episodes* have been played in all; returns the new ones.

        total_steps: in place of these, environment steps in all, after which it stops wherever it
        is in an episode (by gradients: after the update with the last of them). callback: called
        for each episode, by gradients after the update that it was a part of. Warns with
        `PopulationWarning` of a population that is silent, saturated or otherwise lost; see
        `neurorl.diagnostics.monitor`; and with `EnvironmentWarning` of an episode that doesn't end.

        After Ctrl-C, or a callback that raised, the next call goes on where this one was, also
        within an episode, as if nothing had been. Ctrl-C is heeded between two steps (by gradients:
        two updates), and a second one at once. If the environment raises, its episode is begun
        again by the next call, and what was learned in it stays; by gradients all goes on from the
        last update. Raises EnvError for a reward or an observation that isn't finite, and
        DivergenceError when what is learned isn't.
        """
        budget = check_budget("learn", total_episodes, total_steps)
        before, steps_before = len(self.episodes), self.env_steps

        def after(_: int, episode: Episode) -> None:
            self._predictor = None
            if callback is not None:
                callback(episode)

        self._learned_in = self.arithmetic
        try:
            self._replicas.learn(budget.episodes, after, budget.steps)
        finally:
            if self.env_steps != steps_before:
                self._predictor = None
        return self.episodes[before:]

    def lend_env(self) -> gym.Env[Any, Any]:
        """Return the environment, for somebody else to play in.

        Who was in an episode there goes on with it afterwards, by playing it again up to there.
        """
        self._replicas.leave(0)
        return self.env

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
        """Return a description of the agent as plain data."""
        return describe(self.env_id, self._replicas, 0, describe_env(self.env))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what it has learned and its place in an episode, or by gradients an update."""
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
