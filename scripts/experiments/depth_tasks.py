"""Define small tasks that a layer without hidden neurons can't learn: an answer, and a reward."""

from __future__ import annotations

import abc
import functools
import importlib
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt


class Questions(gym.Env[Any, Any], abc.ABC):
    """Ask a question in each step, and pay 1 for the right answer; an episode is one question."""

    right: int

    @abc.abstractmethod
    def ask(self) -> Any:
        """Draw a question, and set its right answer."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.ask(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.right)
        return self.ask(), reward, True, False, {}


class Parity(Questions):
    """Ask whether 4 bits have an odd sum."""

    observation_space = gym.spaces.MultiBinary(4)
    action_space = gym.spaces.Discrete(2)

    def ask(self) -> npt.NDArray[np.int8]:
        bits = self.np_random.integers(0, 2, 4).astype(np.int8)
        self.right = int(bits.sum() % 2)
        return bits


class Spirals(Questions):
    """Ask on which of two spirals, of one turn and a half, a point lies."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
    action_space = gym.spaces.Discrete(2)

    def ask(self) -> npt.NDArray[np.float64]:
        self.right = int(self.np_random.integers(2))
        radius = self.np_random.uniform(0.25, 1.0)
        angle = np.pi * (3.0 * radius + self.right)
        return radius * np.array([np.cos(angle), np.sin(angle)])


class Digits(Questions):
    """Ask which digit an image of 8 x 8 pixels shows; 1,397 images of scikit-learn's 1,797.

    The first 400 are held out: set *held_out* to be asked about these. Needs scikit-learn.
    """

    observation_space = gym.spaces.Box(0.0, 16.0, (64,), np.float64)
    action_space = gym.spaces.Discrete(10)
    held_out = False

    def ask(self) -> npt.NDArray[np.float64]:
        images, answers = _digits()
        first, last = (0, 400) if self.held_out else (400, len(answers))
        number = int(self.np_random.integers(first, last))
        self.right = int(answers[number])
        image: npt.NDArray[np.float64] = images[number]
        return image


@functools.cache
def _digits() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    data = importlib.import_module("sklearn.datasets").load_digits()
    return np.asarray(data.data, dtype=np.float64), np.asarray(data.target)
