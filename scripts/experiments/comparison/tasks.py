"""Register CartPole with another pole or noise, and MountainCar with another engine.

They are registered when this module is imported, which Gymnasium does for ``"module:id"``.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs import registration
from gymnasium.envs.classic_control import MountainCarEnv

from neurorl.numerics.random import derive
from neurorl.tasks.cartpole import CartPoleVariantEnv

ENGINES = (0.6, 0.8, 1.2)
"""Scale the force of MountainCar's engine by these factors."""

LENGTHS = (0.1, 0.15, 0.25, 1.0, 2.0)
"""Set half the length of the pole, in m; Gymnasium's is 0.5."""

NOISES = (0.05, 0.1, 0.2)
"""Set the standard deviation of noise on observations, in units of `_SCALE`."""

_SCALE = (2.4, 3.0, 0.21, 3.0)
_NOISE = 7  # purpose of derived seeds
_CARTPOLE: dict[str, Any] = {"max_episode_steps": 500, "reward_threshold": 475.0}
_MOUNTAINCAR: dict[str, Any] = {"max_episode_steps": 200, "reward_threshold": -110.0}


class EngineMountainCar(MountainCarEnv):
    """Drive Gymnasium's car with *engine* times its force."""

    def __init__(self, engine: float, **options: Any) -> None:
        super().__init__(**options)
        self.force = engine * self.force


class NoisyCartPole(gym.Wrapper[Any, Any, Any, Any]):
    """Show ``observation + sd _SCALE N(0, 1)``, drawn by the seed of the reset."""

    def __init__(self, env: gym.Env[Any, Any], sd: float) -> None:
        super().__init__(env)
        self._sd = sd * np.array(_SCALE)
        self._rng = np.random.default_rng(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self._rng = np.random.default_rng(derive(seed, _NOISE))
        observation, info = self.env.reset(seed=seed, options=options)
        return self._seen(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, *rest = self.env.step(action)
        return self._seen(observation), *rest

    def _seen(self, observation: Any) -> Any:
        noise = self._sd * self._rng.standard_normal(len(self._sd))
        return (observation + noise).astype(np.float32)


def long_pole(length: float) -> str:
    """Return the id of CartPole with a pole of another half-length."""
    return f"{__name__}:neurorl/CartPole-length-{length:g}-v0"


def noisy_cart(sd: float) -> str:
    """Return the id of CartPole seen through noise."""
    return f"{__name__}:neurorl/CartPole-noise-{sd:g}-v0"


def engine_car(engine: float) -> str:
    """Return the id of MountainCar with an engine so many times as strong."""
    return f"{__name__}:neurorl/MountainCar-engine-{engine:g}-v0"


def _noisy(sd: float, **options: Any) -> NoisyCartPole:
    return NoisyCartPole(CartPoleVariantEnv(**options), sd)


def _register(env_id: str, entry_point: Any, limits: dict[str, Any], **options: Any) -> None:
    name = env_id.partition(":")[2]
    if name not in registration.registry:
        registration.register(name, entry_point, kwargs=options, **limits)


for _length in LENGTHS:
    _register(long_pole(_length), CartPoleVariantEnv, _CARTPOLE, length=_length)
for _sd in NOISES:
    _register(noisy_cart(_sd), _noisy, _CARTPOLE, sd=_sd)
for _engine in ENGINES:
    _register(engine_car(_engine), EngineMountainCar, _MOUNTAINCAR, engine=_engine)
