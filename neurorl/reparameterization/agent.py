"""`ReparameterizedActorCritic`: the same verbs, learning by gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.agent import read_agent
from neurorl.approaches import gradient_replicas
from neurorl.backend import backend_class
from neurorl.backend import load as load_backend
from neurorl.checkpoint import write_checkpoint
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.envs import discrete_actions, make_env
from neurorl.errors import ArgumentError, RunError, say
from neurorl.fitting import fitted
from neurorl.player import Player
from neurorl.presets import make_config
from neurorl.random import derive
from neurorl.reparameterization.config import GradientConfig
from neurorl.replicas import Episode, describe

__all__ = ["ReparameterizedActorCritic"]

_PREDICT = 2  # purpose of derived seeds


class ReparameterizedActorCritic:
    """An actor of spiking neurons that learns by gradients through its stochastic spikes.

    env: a Gymnasium id; agents learn in several copies of it. model, seed, config, overrides: as in
    `neurorl.SpikingActorCritic`, whose networks, cells and critics these are. arithmetic: in which
    the weights act while they learn: ``'float'``, or ``'loihi'`` for an agent that is to run on
    the chip. gradient: fields of `GradientConfig` that aren't the preset's, or a whole one.

    Needs PyTorch to learn; ``SpikingActorCritic.load`` takes a saved one without it, to play it on
    any backend or to go on learning by its local rule.

    >>> from neurorl import ReparameterizedActorCritic
    >>> agent = ReparameterizedActorCritic("CartPole-v1", seed=1)  # doctest: +SKIP
    >>> len(agent.learn(2))  # doctest: +SKIP
    2
    """

    def __init__(
        self,
        env: str,
        model: str = "lif",
        arithmetic: str = "float",
        seed: int = 0,
        config: AgentConfig | None = None,
        gradient: GradientConfig | dict[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        self.env: gym.Env[Any, Any] = make_env(env)
        self.env_id, self.seed, self.arithmetic = env, seed, arithmetic
        space = discrete_actions(self.env, env)
        self.first_action, self._n_actions = int(space.start), int(space.n)
        self.config = config or make_config(self.env, model, overrides)
        chosen = gradient.to_dict() if isinstance(gradient, GradientConfig) else gradient or {}
        self._replicas = gradient_replicas(
            make_env(env), env, self.config, (seed,), chosen, arithmetic
        )
        self.network, self.gradient = self._replicas.network, self._replicas.gradient
        self.episodes = self._replicas.episodes[0]
        self._predictor: Player | None = None

    @property
    def env_steps(self) -> int:
        """Environment steps until the last episode ended, of all its environments."""
        return self._replicas.env_steps(0)

    @property
    def weights(self) -> dict[str, FloatArray]:
        """What it has learned, by projection."""
        return self._replicas.weights(0)

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Its populations now, as plain data; see `neurorl.diagnostics.Monitor.table`."""
        return self._replicas.diagnostics(0)

    def learn(
        self, total_episodes: int, callback: Callable[[Episode], None] | None = None
    ) -> list[Episode]:
        """Train until *total_episodes* have been played in all; returns the new ones.

        callback: called for each episode, after the update by the rollout in which it ended.
        """
        if isinstance(total_episodes, bool) or not isinstance(total_episodes, (int, np.integer)):
            raise ArgumentError(say("learn", "total_episodes is not a whole number"))
        before = len(self.episodes)

        def after(_: int, episode: Episode) -> None:
            self._predictor = None
            if callback is not None:
                callback(episode)

        self._replicas.learn(int(total_episodes), after)
        return self.episodes[before:]

    def predict(self, observation: Any) -> int:
        """The action with the most votes; ties are drawn. Leaves training as it is."""
        if self._predictor is None:
            self._predictor = self.player(derive(self.seed, _PREDICT, len(self.episodes)))
        return self._predictor.move(observation).action + self.first_action

    def player(
        self,
        seed: int,
        backend: str | None = None,
        arithmetic: str | None = None,
        explore: bool = False,
        noise: str | None = None,
        fit: bool | None = None,
    ) -> Player:
        """The network as it is now, to be played without learning, on the reference if not named.

        arithmetic: None takes that in which it learns, on another backend that backend's own.
        explore, noise, fit: as in `neurorl.SpikingActorCritic.player`.
        """
        name = backend or "reference"
        if backend is None:
            arithmetic = arithmetic or self.arithmetic
        arithmetic = arithmetic or backend_class(name).capabilities.arithmetics[0]
        network, weights = self.network, self.weights
        if arithmetic == "loihi" and (self.arithmetic == "float" if fit is None else fit):
            network = fitted(network, weights)
        compiled = load_backend(
            name,
            network,
            seed=seed,
            arithmetic=arithmetic,
            weights=weights,
            noise=noise or "exact",
        )
        try:
            return Player(self.config, compiled, self._n_actions, explore)
        except BaseException:
            compiled.close()
            raise

    def save(self, path: str | Path) -> None:
        """Write the agent to one file (npz, no pickle), atomically."""
        write_checkpoint(Path(path), self.describe(), self.state())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The agent of a file written by `save`, or of a run directory.

        Raises RunError for a file that is missing, damaged or of something else.
        """
        described, arrays = read_agent(Path(path))
        if described["approach"] != "reparameterization":
            remedy = "SpikingActorCritic.load"
            raise RunError(say(f"agent {path}", "learned by a local rule", remedy=remedy))
        agent = cls(
            described["env"],
            arithmetic=described["arithmetic"],
            seed=described["seed"],
            config=AgentConfig.from_dict(described["config"]),
            gradient=GradientConfig.from_dict(described["gradient"]),
        )
        agent.restore(arrays)
        return agent

    def describe(self) -> dict[str, Any]:
        """What the agent is, as plain data."""
        return describe(self.env_id, self._replicas, 0)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What it has learned and is doing, as arrays, between two updates."""
        return self._replicas.state(0)

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from `state`."""
        self._replicas.restore(0, state)
        self.episodes = self._replicas.episodes[0]
        self._predictor = None

    def adopt(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Begin, before any learning, with the weights and the critic of another agent's `state`.

        Raises RunError if its network is another.
        """
        self._replicas.adopt(0, state)
        self._predictor = None

    def close(self) -> None:
        """Free the environments."""
        self._replicas.close()
        self.env.close()
