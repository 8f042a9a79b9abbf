"""Check that units of numbers and rewards change neither a first play's memories nor files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import LinearActorCritic, SpikingActorCritic
from neurorl.errors import NeurorlError
from neurorl.models.agent.past import Past
from neurorl.models.defaults.presets import make_config

SIZES = [5e-324, 1e-200, 1e200, 1.7e308]


class Told(gym.Env[Any, Any]):
    """Pay the action that the first step of an episode named, twenty steps long."""

    action_space = gym.spaces.Discrete(3)

    def __init__(self, shown: float, paid: float) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (3,), dtype=np.float64)
        self._shown, self._paid = shown, paid

    def _observation(self) -> Any:
        draw = self.np_random
        told = self._named if self._t == 0 else 0.0
        return np.array([told, self._shown * draw.integers(-1, 2), self._shown])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._t, self._named = 0, self.np_random.integers(3)
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self._t += 1
        is_right = action == self._named
        return self._observation(), self._paid * is_right, self._t >= 20, False, {}


def memory_of(shown: float, paid: float) -> Any:
    """Return the memories that the default chooses, or the line that refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=UserWarning)
        try:
            return make_config(Told(shown, paid)).past
        except NeurorlError as error:
            return str(error)


@pytest.mark.parametrize("paid", [1.0, *SIZES])
@pytest.mark.parametrize("shown", [1.0, *SIZES])
def test_the_memory_is_the_same_in_other_units(shown: float, paid: float) -> None:
    found = memory_of(shown, paid)
    assert found == Past(memories=(1.0,)), found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("paid", [-1e30, 1e200, -1e300])
@pytest.mark.parametrize("kind", [SpikingActorCritic, LinearActorCritic])
def test_what_is_learned_from_huge_rewards_is_read_again(
    kind: type[SpikingActorCritic | LinearActorCritic], paid: float, tmp_path: Path
) -> None:
    """Read back from a file whatever could be learned."""
    agent = kind(Told(1.0, paid), seed=1)
    agent.learn(total_timesteps=143)
    agent.save(tmp_path / "agent.npz")
    again = kind.load(tmp_path / "agent.npz", env=Told(1.0, paid))
    for one in (agent, again):
        one.learn(total_timesteps=40)
    assert [e.ret for e in again.episodes] == [e.ret for e in agent.episodes]
    assert max(abs(e.ret) for e in agent.episodes) >= abs(paid)
    for name, array in agent.state().items():
        assert again.state()[name].tobytes() == array.tobytes(), name
