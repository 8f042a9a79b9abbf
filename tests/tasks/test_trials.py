"""Test tasks that are played trial by trial."""

from typing import Any

import gymnasium as gym
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
