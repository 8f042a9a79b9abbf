"""Define the tasks on which the default agent is chosen: none of them has a preset.

The seed tasks are here under ids that no preset knows. Seeds are 100 and up, apart from those of
every reported figure.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from neurorl.tasks.known import register
from neurorl.tasks.trials import Trials

Env = gym.Env[Any, Any]


@dataclass(frozen=True)
class Task:
    """Hold one task of the suite.

    make: its environment. steps: of training. reference: a return to compare with, and where it is
    from. extra: the distribution that it needs, beside Gymnasium. is_long: minutes for each seed.
    episodes: of greedy play. discount: of what is paid in that play, for each step of an episode.
    """

    name: str
    make: Callable[[], Env]
    steps: int
    reference: str
    extra: str = ""
    is_long: bool = False
    episodes: int = 100
    discount: float = 1.0

    def to_play(self) -> Env:
        """Return the environment in which what was learned is measured."""
        return self.make() if self.discount == 1.0 else Discounted(self.make(), self.discount)


class Discounted(gym.Wrapper[Any, Any, Any, Any]):
    """Pay ``discount ** t`` of the reward of step t of an episode, counted from 0."""

    def __init__(self, env: Env, discount: float) -> None:
        super().__init__(env)
        self._discount, self._paid = discount, 1.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._paid = 1.0
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        paid, self._paid = self._paid * float(reward), self._paid * self._discount
        return observation, paid, terminated, truncated, info


class ContextBandit(gym.Env[Any, Any]):
    """Show two numbers, and reward the action of four that is right in their quadrant."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float64)
        self.action_space = spaces.Discrete(4)
        self._shown = np.zeros(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._shown = self.np_random.uniform(-1.0, 1.0, 2)
        return self._shown, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        right = 2 * int(self._shown[0] > 0) + int(self._shown[1] > 0)
        return self._shown, float(action == right), True, False, {}


class Catch(gym.Env[Any, Any]):
    """Show a ball that falls through a binary image, and a paddle that is to catch it.

    Source: bsuite's Catch (arXiv:1908.03568), of 10 rows and 5 columns.
    """

    rows, columns = 10, 5

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0, 1, (self.rows, self.columns), np.uint8)
        self.action_space = spaces.Discrete(3)
        self._row = self._ball = self._paddle = 0

    def _image(self) -> Any:
        image = np.zeros((self.rows, self.columns), np.uint8)
        image[self._row, self._ball] = 1
        image[-1, self._paddle] = 1
        return image

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._row, self._ball = 0, int(self.np_random.integers(self.columns))
        self._paddle = self.columns // 2
        return self._image(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._paddle = int(np.clip(self._paddle + action - 1, 0, self.columns - 1))
        self._row += 1
        is_over = self._row == self.rows - 1
        reward = (1.0 if self._paddle == self._ball else -1.0) if is_over else 0.0
        return self._image(), reward, is_over, False, {}


class WideCatch(Catch):
    """Show as many columns as rows: more images than can be told by heart."""

    columns = 10


class Falling(gym.Env[Any, Any]):
    """Show fruit and stones that fall, and a basket that is to catch the one and not the other.

    A float image of 10 x 10 pixels and three channels, with noise: basket, fruit, stones. A new
    thing appears in every third step; one that is caught pays 1 or -1.
    """

    side, every, noise = 10, 3, 0.05

    def __init__(self) -> None:
        shape = (self.side, self.side, 3)
        self.observation_space = spaces.Box(-1.0, 2.0, shape, np.float32)
        self.action_space = spaces.Discrete(3)
        self._things = np.zeros((self.side, self.side, 2))
        self._basket = self._steps = 0

    def _image(self) -> Any:
        image = np.zeros((self.side, self.side, 3))
        image[-1, self._basket, 0] = 1.0
        image[..., 1:] = self._things
        image += self.np_random.normal(0.0, self.noise, image.shape)
        return image.astype(np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._things[:] = 0.0
        self._basket, self._steps = self.side // 2, 0
        return self._image(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._basket = int(np.clip(self._basket + action - 1, 0, self.side - 1))
        self._things[1:] = self._things[:-1].copy()
        self._things[0] = 0.0
        if self._steps % self.every == 0:
            column, kind = self.np_random.integers(self.side), self.np_random.integers(2)
            self._things[0, column, kind] = 1.0
        fruit, stone = self._things[-1, self._basket]
        self._steps += 1
        return self._image(), float(fruit - stone), self._steps >= 100, False, {}


def _made(env_id: str, **arguments: Any) -> Callable[[], Env]:
    return lambda: gym.make(env_id, **arguments)


def _nobodys(env_id: str) -> Callable[[], Env]:
    """Return what makes a known task under an id that no preset knows."""

    def make() -> Env:
        register()
        spec = gym.spec(env_id)
        own = f"development/{env_id.partition('/')[2] or env_id}"
        if own not in gym.registry:
            limit, kwargs = spec.max_episode_steps, spec.kwargs
            gym.register(own, spec.entry_point, max_episode_steps=limit, kwargs=kwargs)
        return gym.make(own)

    return make


def _large_lake() -> Env:
    return gym.make("FrozenLake-v1", map_name="8x8")


def _parts_of_cart() -> Env:
    """Return CartPole whose observation is a Dict of positions and velocities."""
    space = spaces.Dict(
        positions=spaces.Box(-5.0, 5.0, (2,), np.float32),
        velocities=spaces.Box(-np.inf, np.inf, (2,), np.float32),
    )
    cart = _nobodys("CartPole-v1")()

    def parts(x: Any) -> dict[str, Any]:
        return {"positions": x[::2].copy(), "velocities": x[1::2].copy()}

    return gym.wrappers.TransformObservation(cart, parts, space)


def _car_in_other_units() -> Env:
    """Return MountainCar without ranges, in millimetres from elsewhere, paid a hundredfold."""
    space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    car = gym.wrappers.TransformObservation(
        _nobodys("MountainCar-v0")(), lambda x: 1e3 * x.astype(np.float64) + 7.0, space
    )
    return gym.wrappers.TransformReward(car, lambda reward: 100.0 * float(reward))


def _decisions() -> Env:
    importlib.import_module("neurogym")  # registers its tasks

    return gym.wrappers.TimeLimit(Trials(gym.make("PerceptualDecisionMaking-v0")), 200)


def _minigrid() -> Env:
    importlib.import_module("minigrid")  # registers its tasks

    return gym.make("MiniGrid-Empty-5x5-v0")


TASKS = (
    Task("FrozenLake-v1, slippery", _made("FrozenLake-v1"), 100_000, "0.74, optimum"),
    Task("FrozenLake-v1", _made("FrozenLake-v1", is_slippery=False), 30_000, "1, optimum"),
    Task("FrozenLake-v1, slippery, 8 x 8", _large_lake, 200_000, "0.64, optimum"),
    Task("Taxi-v4", _made("Taxi-v4"), 200_000, "7.9, optimum"),
    Task(
        "CliffWalking",
        lambda: gym.wrappers.TimeLimit(gym.make("CliffWalking-v1"), 200),
        50_000,
        "-13, optimum",
    ),
    Task("Blackjack-v1", _made("Blackjack-v1"), 100_000, "-0.045, optimum", episodes=20_000),
    Task(
        "gridworld, discounted",
        _nobodys("neurorl/GridWorld-v0"),
        60_000,
        "1.121, optimum; preset 1.093",
        episodes=1000,
        discount=0.9,
    ),
    Task("bandit", _nobodys("neurorl/Bandit-v0"), 5_000, "0.9, optimum"),
    Task("CartPole", _nobodys("CartPole-v1"), 60_000, "500, optimum"),
    Task("MountainCar", _nobodys("MountainCar-v0"), 60_000, "-110, preset -105"),
    Task("CartPole in parts", _parts_of_cart, 60_000, "500, optimum"),
    Task("MountainCar in other units", _car_in_other_units, 60_000, "-11000, preset -10500"),
    Task("Acrobot-v1", _made("Acrobot-v1"), 100_000, "-84, PPO at 61k"),
    Task("context bandit", ContextBandit, 10_000, "1, optimum"),
    Task("Catch", Catch, 30_000, "1, optimum"),
    Task("Catch, 10 x 10 pixels", WideCatch, 60_000, "1, optimum"),
    Task("Falling, 10 x 10 x 3", Falling, 60_000, "13, most fruit"),
    Task("positions of CartPole", _nobodys("neurorl/PositionOnlyCartPole-v0"), 60_000, "no memory"),
    Task("MiniGrid-Empty-5x5-v0", _minigrid, 10_000, "0.955, optimum", "minigrid"),
    Task("PerceptualDecisionMaking-v0", _decisions, 100_000, "0.8", "neurogym"),
    Task("Pendulum-v1", _made("Pendulum-v1"), 200_000, "-172, PPO"),
    Task("MountainCarContinuous-v0", _made("MountainCarContinuous-v0"), 100_000, "94.5, SAC"),
    Task("LunarLander-v3", _made("LunarLander-v3"), 600_000, "150, DQN at 1M", "box2d", True),
)
