"""Step the environments of several agents: separate ones, or a Gymnasium vector."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import iterate

from neurorl.errors import ArgumentError, NeurorlError
from neurorl.tasks.answers import Answers, raised, unfit
from neurorl.tasks.observations import UnfitError, observation_reader

__all__ = ["EnvGroup", "SeparateEnvs", "VectorEnvs", "env_group", "has_time_limit"]

Step = tuple[int, Any, SupportsFloat, bool, bool, dict[str, Any]]


class EnvGroup(abc.ABC):
    """Hold one environment for each agent.

    first_action: the number of the first action. together: whether a step is one of all of them,
    also of those whose agents don't play.
    """

    first_action: int
    n: int
    together = False

    @abc.abstractmethod
    def reset(self, k: int, seed: int) -> Any:
        """Start an episode of agent k; return the observation."""

    @abc.abstractmethod
    def step(self, actions: Sequence[int], active: Sequence[int]) -> Iterable[Step]:
        """Step all active agents.

        actions: of all agents, counted from 0.
        Returns ``(k, observation, reward, terminated, truncated, info)`` of every active agent.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close all environments."""


class SeparateEnvs(EnvGroup):
    """Step a list of environments one after the other."""

    def __init__(self, envs: Sequence[gym.Env[Any, Any]]) -> None:
        self.envs = envs
        self.n = len(envs)
        self.first_action = int(envs[0].action_space.start)  # type: ignore[attr-defined]
        self._answers = [Answers(env) for env in envs]
        self._steps = [answers.step for answers in self._answers]

    def reset(self, k: int, seed: int) -> Any:
        return self._answers[k].reset(seed)

    def step(self, actions: Sequence[int], active: Sequence[int]) -> Iterable[Step]:
        first, steps = self.first_action, self._steps
        return [(k, *steps[k](actions[k] + first)) for k in active]

    def close(self) -> None:
        for answers in self._answers:
            answers.close()


class VectorEnvs(EnvGroup):
    """Step a `gymnasium.vector.VectorEnv` whose episodes the agents start themselves.

    Raises ArgumentError if it starts them by itself (autoreset).
    """

    together = True

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not gym.vector.AutoresetMode.DISABLED:
            remedy = "autoreset_mode=gymnasium.vector.AutoresetMode.DISABLED"
            raise ArgumentError("vector environment", "resets by itself", got=mode, remedy=remedy)
        self.env = env
        self.n = env.num_envs
        self.first_action = int(env.single_action_space.start)  # type: ignore[attr-defined]
        self._over = np.ones(self.n, dtype=bool)
        self._read = observation_reader(env.single_observation_space)
        self._where = f"environment {env.spec.id if env.spec else type(env.unwrapped).__name__}"

    def reset(self, k: int, seed: int) -> Any:
        mask = np.zeros(self.n, dtype=bool)
        mask[k] = True
        if self._over.all():
            mask[:] = True  # the first reset of all can't leave any out
        seeds: Any = [None] * self.n
        seeds[k] = seed
        try:
            observations, _ = self.env.reset(seed=seeds, options={"reset_mask": mask})
            observation = self._read(self._each(observations)[k])
        except Exception as exc:
            raise self._failed("reset", exc) from exc
        self._over[k] = False
        return observation

    def step(self, actions: Sequence[int], active: Sequence[int]) -> Iterable[Step]:
        try:
            return self._step(actions, active)
        except Exception as exc:
            raise self._failed("step", exc) from exc

    def _step(self, actions: Sequence[int], active: Sequence[int]) -> Iterable[Step]:
        if self._over.any():  # of agents that have finished; Gymnasium steps none that is over
            unseeded: Any = [None] * self.n
            self.env.reset(seed=unseeded, options={"reset_mask": self._over.copy()})
        answer = self.env.step(np.array(actions, dtype=np.int64) + self.first_action)
        observations, rewards, terminated, truncated, _ = answer
        self._over = terminated | truncated
        each = self._each(observations)
        columns = (rewards.tolist(), terminated.tolist(), truncated.tolist())
        return [(k, self._read(each[k]), *(column[k] for column in columns), {}) for k in active]

    def _each(self, observations: Any) -> list[Any]:
        return list(iterate(self.env.observation_space, observations))

    def _failed(self, call: str, exc: Exception) -> NeurorlError:
        if isinstance(exc, UnfitError):
            return unfit(f"{self._where}, {call}", exc)
        return raised(self._where, call, exc)

    def close(self) -> None:
        self.env.close()


def has_time_limit(env: gym.Env[Any, Any]) -> bool:
    """Return whether every episode of *env* is known to end.

    It is cut off by a limit, or ``metadata["max_episode_steps"]`` says that it ends by itself.
    """
    if env.spec is not None and env.spec.max_episode_steps is not None:
        return True
    if "max_episode_steps" in env.metadata:
        return True
    while isinstance(env, gym.Wrapper):
        if isinstance(env, gym.wrappers.TimeLimit):
            return True
        env = env.env
    return False


def env_group(
    env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any] | Sequence[gym.Env[Any, Any]],
) -> EnvGroup:
    """Return the group for an environment, a vector, or a list of environments."""
    if isinstance(env, gym.vector.VectorEnv):
        return VectorEnvs(env)
    return SeparateEnvs([env] if isinstance(env, gym.Env) else env)
