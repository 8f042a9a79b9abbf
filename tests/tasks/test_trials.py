"""Test tasks that are played trial by trial."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl.tasks.trials import Trials


class Endless(gym.Env[Any, Any]):
    """End a trial in every third step, right if the action was 1; each step pays 0.5."""

    observation_space, action_space = gym.spaces.Discrete(3), gym.spaces.Discrete(2)
    at = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.at, {}

    def step(self, action: int) -> Any:
        self.at = (self.at + 1) % 3
        info = {"new_trial": self.at == 0}
        return self.at, 0.5, False, False, info | ({"performance": action} if self.at == 0 else {})


@pytest.mark.parametrize(("metric", "paid"), [("performance", [0.0, 0.0, 1.0]), (None, [0.5] * 3)])
def test_a_trial_is_an_episode(metric: str | None, paid: list[float]) -> None:
    env = Trials(Endless(), metric)
    for _ in range(2):
        env.reset(seed=1)
        steps = [env.step(1) for _ in range(3)]
        assert [step[1] for step in steps] == paid
        assert [step[2] for step in steps] == [False, False, True]


class Noisy(Endless):
    """Draw as NeuroGym does: not by the generator that a reset seeds."""

    def __init__(self) -> None:
        self.seed()

    def seed(self, seed: int | None = None) -> None:
        self.rng = np.random.RandomState(seed)

    def step(self, action: int) -> Any:
        _, *others = super().step(action)
        return self.rng.standard_normal(), *others


def test_a_seed_repeats_a_trial_of_neurogym() -> None:
    env = Trials(Noisy())

    def drawn(seed: int | None) -> list[float]:
        env.reset(seed=seed)
        return [env.step(1)[0] for _ in range(3)]

    first = drawn(1)
    assert drawn(None) != first  # goes on, as of Gymnasium
    assert drawn(1) == first
    assert drawn(2) != first
