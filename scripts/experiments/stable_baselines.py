"""Learn tasks of the suite by DQN and PPO of stable-baselines3, and by sb3-contrib's with an LSTM.

Where RL Baselines3 Zoo publishes settings for a task they are used (`rl_zoo`), elsewhere the
library's own. Parts of an observation that are no numbers are left out, and what isn't one array
is flattened. PPO learns from whole rollouts, so it may take up to one rollout more than the steps.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from experiments.development_tasks import Task
from experiments.rl_zoo import SETTINGS, Setting
from neurorl.models.defaults.observations import seen_parts

Act = Callable[[Any, bool], Any]


@dataclass(frozen=True)
class _Class:
    """Hold where a learner is. has_memory: its actions depend on the episode so far."""

    module: str
    name: str
    policy: str = "MlpPolicy"
    has_memory: bool = False


_CLASSES = {
    "DQN": _Class("stable_baselines3", "DQN"),
    "PPO": _Class("stable_baselines3", "PPO"),
    "recurrent PPO": _Class("sb3_contrib", "RecurrentPPO", "MlpLstmPolicy", has_memory=True),
}
NAMES = tuple(_CLASSES)
_HAS_PARTS = (gym.spaces.Dict, gym.spaces.Tuple)


class Flattened(gym.ObservationWrapper[Any, Any, Any]):
    """Show a vector: the parts of numbers, one after the other, of states one-hot."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.observation_space
        self._keys = tuple(seen_parts(space))
        parts = {str(key): space[key] for key in self._keys}  # type: ignore[index]
        self._parts = gym.spaces.Dict(parts)
        self.observation_space = gym.spaces.flatten_space(self._parts)

    def observation(self, observation: Any) -> Any:
        parts = {str(key): observation[key] for key in self._keys}
        return gym.spaces.flatten(self._parts, parts)


def learn(name: str, task: Task, seed: int) -> Act | None:
    """Return the greedy actions of *name* after the task's steps; None if it can't learn it.

    They are of an observation and whether it is the first of an episode. Raises ImportError without
    the library.
    """
    importlib.import_module("torch").set_num_threads(1)
    of = _CLASSES[name]
    library = importlib.import_module(of.module)
    env = _made(task)
    if name == "DQN" and not isinstance(env.action_space, gym.spaces.Discrete):
        return None
    setting = SETTINGS[name].get(task.name, Setting())
    envs = _together(task, setting)
    arguments = dict(setting.arguments)
    for key in setting.falling:
        arguments[key] = _falls(arguments[key])
    model = getattr(library, of.name)(of.policy, envs, seed=seed, device="cpu", **arguments)
    model.learn(task.steps)
    has_numbers = isinstance(env.action_space, gym.spaces.Box)

    memory: Any = None

    def act(observation: Any, is_first: bool) -> Any:
        nonlocal memory
        shown = env.observation(observation) if isinstance(env, Flattened) else observation
        if setting.normalizes:
            shown = envs.normalize_obs(shown)
        begins = {"episode_start": np.array([is_first])} if of.has_memory else {}
        action, memory = model.predict(shown, memory, deterministic=True, **begins)
        return action if has_numbers else int(action)

    return act


def _made(task: Task) -> gym.Env[Any, Any]:
    env = task.make()
    return Flattened(env) if isinstance(env.observation_space, _HAS_PARTS) else env


def _together(task: Task, setting: Setting) -> Any:
    """Return the environments that are played at once."""
    module = importlib.import_module("stable_baselines3.common.vec_env")
    monitor = importlib.import_module("stable_baselines3.common.monitor").Monitor
    envs = module.DummyVecEnv([lambda: monitor(_made(task)) for _ in range(setting.n_envs)])
    if not setting.normalizes:
        return envs
    return module.VecNormalize(envs, gamma=setting.arguments["gamma"])


def _falls(first: float) -> Callable[[float], float]:
    return lambda left: first * left
