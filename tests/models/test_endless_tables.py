"""Critics of states learn slowly in tasks that go on and pay something else in every step."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Dict, Discrete, MultiBinary, Space

from neurorl import SpikingActorCritic
from neurorl.models.agent.critics import Linear
from neurorl.models.defaults.presets import make_config

SPACES: dict[str, Space[Any]] = {
    "Dict": Dict(floor=Discrete(5), calls=MultiBinary(5)),
    "Discrete": Discrete(160),
}
SLOW = Linear(alpha=0.05, lambda_=0.5)


class Lift(gym.Env[Any, Any]):
    """Go up or down, or open the door, where people wait on five floors; each who waits costs.

    space: one of `SPACES`. gain: what is paid for a call that is answered. cost: of each one that
    waits. ends: whether an episode ends when nobody waits.
    """

    action_space = Discrete(3)

    def __init__(
        self, space: str = "Dict", gain: float = 1.0, cost: float = 0.02, ends: bool = False
    ) -> None:
        self.observation_space, self._gain, self._cost = SPACES[space], gain, cost
        self._ends = ends

    def _shown(self) -> Any:
        if isinstance(self.observation_space, Dict):
            return {"floor": self._floor, "calls": self._calls.copy()}
        return int(self._floor * 32 + self._calls @ 2 ** np.arange(5))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step, self._floor, self._calls = 0, 0, np.zeros(5, np.int8)
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        answers = action == 2 and self._calls[self._floor] == 1
        if answers:
            self._calls[self._floor] = 0
        else:
            self._floor = int(np.clip(self._floor + (-1, 1, 0)[action], 0, 4))
        is_over = self._ends and not self._calls.any()
        if self.np_random.random() < 0.3:
            self._calls[self.np_random.integers(5)] = 1
        reward = self._gain * answers - self._cost * float(self._calls.sum())
        return self._shown(), reward, is_over, self._step >= 100, {}


@pytest.mark.parametrize("space", SPACES)
def test_a_critic_is_slow_where_a_task_goes_on_and_rewards_vary(space: str) -> None:
    assert make_config(Lift(space)).critic == SLOW


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("other", [{"gain": 0.0}, {"cost": 0.0}, {"ends": True}])
def test_it_is_as_elsewhere_of_costs_or_gains_alone_and_where_episodes_end(
    space: str, other: dict[str, Any]
) -> None:
    critic = make_config(Lift(space, **other)).critic
    assert critic == Linear(alpha=0.1, lambda_=0.8 if space == "Discrete" else 0.9)


def test_what_is_named_is_kept() -> None:
    critic = make_config(Lift(), overrides={"critic.alpha": 0.3}).critic
    assert isinstance(critic, Linear)
    assert critic.alpha == 0.3


def test_a_lift_is_learned() -> None:
    """Long eligibilities earn 11 there, random play 6."""
    agent = SpikingActorCritic(Lift(), seed=0)
    agent.learn(total_timesteps=20_000)
    assert np.mean([episode.ret for episode in agent.episodes[-30:]]) > 19.0
