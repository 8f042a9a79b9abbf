"""Test learning from the difference to the average reward."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.critics import Linear
from neurorl.models.agent.modulators import DifferentialTD

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::neurorl.errors.{name}Warning")
    for name in ("Environment", "Fallback")
]


class Circle(gym.Env[Any, Any]):
    """Go round three states for ever, whatever is done; leaving the first one pays 3."""

    observation_space, action_space = gym.spaces.Discrete(3), gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.state = 0
        return self.state, {}

    def step(self, action: int) -> Any:
        reward, self.state = 3.0 * (self.state == 0), (self.state + 1) % 3
        return self.state, reward, False, False, {}


def _agent(**options: Any) -> SpikingActorCritic:
    fields = {"gamma": 1.0, "critic": Linear(lambda_=0.0), "reward_scale": 1.0, **options}
    return SpikingActorCritic(Circle(), backend="reference", seed=1, actors=1, **fields)


def test_one_step_by_hand() -> None:
    modulator, mean = DifferentialTD(mean_rate=0.5), np.array([0.25])
    assert modulator.heard(1.0, mean) == 0.75
    assert modulator.signal(1.0, 0.5, mean, 0.1) == 0.5
    assert mean[0] == 0.5


def test_values_are_differences_to_the_average() -> None:
    agent = _agent(modulator=DifferentialTD(mean_rate=0.02), critic=Linear(0.1, 0.0))
    agent.learn(total_steps=2500)
    state = agent.state()
    # 3 every third step: 1 on average; V_0 = 3 - 1 + V_1, V_1 = -1 + V_2
    assert state["mean_reward"] == pytest.approx(1.0, abs=0.1)
    values = state["critic"]
    assert values[0] - values[1] == pytest.approx(2.0, abs=0.15)
    assert values[1] - values[2] == pytest.approx(-1.0, abs=0.15)


def test_it_is_known_by_name_saved_and_goes_on_within_its_episode(tmp_path: Path) -> None:
    whole, first = _agent(modulator="differential-td"), _agent(modulator="differential-td")
    whole.learn(total_steps=80)
    first.learn(total_steps=33)
    first.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env=Circle())
    assert isinstance(loaded.config.modulator, DifferentialTD)
    loaded.learn(total_steps=80)
    for name in ("critic", "mean_reward"):
        assert np.array_equal(whole.state()[name], loaded.state()[name])


def test_a_spiking_critic_is_refused() -> None:
    with pytest.raises(DescriptionError, match="linear"):
        _agent(model="lif-spiking-critic", critic="spiking", modulator="differential-td")
