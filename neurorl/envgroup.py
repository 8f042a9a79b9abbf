"""Environments of several agents behind one interface: separate ones, or a Gymnasium vector."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector.utils import iterate

from neurorl.errors import ArgumentError, say

__all__ = ["EnvGroup", "SeparateEnvs", "VectorEnvs", "env_group"]

Step = tuple[int, Any, SupportsFloat, bool, bool, dict[str, Any]]


class EnvGroup(abc.ABC):
    """One environment for each agent; first_action: the number of the first action."""

    first_action: int
    n: int

    @abc.abstractmethod
    def reset(self, k: int, seed: int) -> Any:
        """Start an episode of agent k; returns the observation."""

    @abc.abstractmethod
    def step(self, actions: npt.NDArray[np.int64], active: Sequence[int]) -> Iterable[Step]:
        """``(k, observation, reward, terminated, truncated, info)`` of every active agent."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close all environments."""


class SeparateEnvs(EnvGroup):
    """A list of environments, stepped one after the other."""

    def __init__(self, envs: Sequence[gym.Env[Any, Any]]) -> None:
        self.envs = envs
        self.n = len(envs)
        self.first_action = int(envs[0].action_space.start)  # type: ignore[attr-defined]
        self._steps = [env.step for env in envs]

    def reset(self, k: int, seed: int) -> Any:
        return self.envs[k].reset(seed=seed)[0]

    def step(self, actions: npt.NDArray[np.int64], active: Sequence[int]) -> Iterable[Step]:
        chosen, first, steps = actions.tolist(), self.first_action, self._steps
        return [(k, *steps[k](chosen[k] + first)) for k in active]

    def close(self) -> None:
        for env in self.envs:
            env.close()


class VectorEnvs(EnvGroup):
    """A `gymnasium.vector.VectorEnv`, whose episodes the agents start themselves.

    Raises ArgumentError if it starts them by itself (autoreset).
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not gym.vector.AutoresetMode.DISABLED:
            remedy = "autoreset_mode=gymnasium.vector.AutoresetMode.DISABLED"
            raise ArgumentError(
                say("vector environment", "resets by itself", got=mode, remedy=remedy)
            )
        self.env = env
        self.n = env.num_envs
        self.first_action = int(env.single_action_space.start)  # type: ignore[attr-defined]
        self._over = np.ones(self.n, dtype=bool)

    def reset(self, k: int, seed: int) -> Any:
        mask = np.zeros(self.n, dtype=bool)
        mask[k] = True
        if self._over.all():
            mask[:] = True  # the first reset of all can't leave any out
        seeds: Any = [None] * self.n
        seeds[k] = seed
        observations, _ = self.env.reset(seed=seeds, options={"reset_mask": mask})
        self._over[k] = False
        return list(iterate(self.env.observation_space, observations))[k]

    def step(self, actions: npt.NDArray[np.int64], active: Sequence[int]) -> Iterable[Step]:
        if self._over.any():  # of agents that have finished; Gymnasium steps none that is over
            unseeded: Any = [None] * self.n
            self.env.reset(seed=unseeded, options={"reset_mask": self._over.copy()})
        answer = self.env.step(actions + self.first_action)
        observations, rewards, terminated, truncated, _ = answer
        self._over = terminated | truncated
        seen = list(iterate(self.env.observation_space, observations))
        columns = (seen, rewards.tolist(), terminated.tolist(), truncated.tolist())
        return [(k, *(column[k] for column in columns), {}) for k in active]

    def close(self) -> None:
        self.env.close()


def env_group(
    env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any] | Sequence[gym.Env[Any, Any]],
) -> EnvGroup:
    """The group that *env* is."""
    if isinstance(env, gym.vector.VectorEnv):
        return VectorEnvs(env)
    return SeparateEnvs([env] if isinstance(env, gym.Env) else env)
