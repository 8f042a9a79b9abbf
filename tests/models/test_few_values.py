"""Check defaults for boards, for rewards that are all alike, and for costly repeats."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Dict, Discrete, MultiDiscrete, Space, Tuple
from gymnasium.wrappers import TimeLimit

from neurorl import SpikingActorCritic
from neurorl.models.defaults.few_values import pair_cells
from neurorl.models.defaults.rates import reward_scale
from neurorl.models.features import Select
from neurorl.tasks.first_play import FirstPlay


def test_pairs_tell_every_two_values_apart() -> None:
    space = MultiDiscrete([20, 3, 7], start=[5, -1, 0])
    space.seed(1)
    rows = np.array([space.sample() for _ in range(500)], dtype=np.float64)
    cells = pair_cells(space, lambda: rows)
    assert cells is not None
    assert cells.size == 20**2 + 20**2 + 7**2
    for first, second in ((0, 1), (0, 2), (1, 2)):
        seen: dict[tuple[float, ...], bytes] = {}
        for row in rows.astype(int):
            other = np.array(space.start)
            other[[first, second]] = row[[first, second]]
            active = cells(other).copy()
            assert active.sum() == 3
            seen.setdefault((other[first], other[second]), active.tobytes())
        assert len(set(seen.values())) == len(seen)


@pytest.mark.parametrize(
    "space",
    [
        MultiDiscrete([70, 60]),  # too many cells
        Dict(board=MultiDiscrete([3] * 9), other=gym.spaces.Box(0.0, 1.0, (1,))),
    ],
)
def test_no_pairs_of_many_values_or_of_other_numbers(space: Space[Any]) -> None:
    space.seed(1)
    n = 10 if isinstance(space, Dict) else 2
    rows = np.array([np.arange(n), np.arange(n) + 1.0])
    assert pair_cells(space, lambda: rows) is None


class Parity(gym.Env[Any, Any]):
    """Show six numbers, in several forms, and reward the action that two of them tell together."""

    action_space = Discrete(2)

    def __init__(self, form: str) -> None:
        three = MultiDiscrete([5] * 3)
        spaces: dict[str, Space[Any]] = {
            "MultiDiscrete": MultiDiscrete([5] * 6),
            "Dict": Dict(some=three, others=three),
            "Tuple": Tuple((MultiDiscrete([5] * 5), Discrete(5))),
        }
        self._form, self.observation_space = form, spaces[form]

    def _look(self) -> Any:
        shown = self.np_random.integers(0, 5, 6)
        self._right = int(shown[1] + shown[5]) % 2
        if self._form == "Dict":
            return {"some": shown[:3], "others": shown[3:]}
        return (shown[:5], shown[5]) if self._form == "Tuple" else shown

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._look(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self._right)
        return self._look(), reward, False, False, {}


@pytest.mark.parametrize("form", ["MultiDiscrete", "Dict", "Tuple"])
def test_what_two_numbers_mean_together_is_learned(form: str) -> None:
    agent = SpikingActorCritic(TimeLimit(Parity(form), 1), seed=1)
    assert isinstance(agent.config.cells, Select)
    agent.learn(total_steps=10_000)
    returns = [episode.ret for episode in agent.episodes[-1000:]]
    agent.close()
    assert np.mean(returns) > 0.87  # 0.5 by chance, 1 at best


def _scale(*episodes: list[float], is_choice: bool = True) -> float:
    return reward_scale(FirstPlay(0, list(episodes)), 0.99, is_choice=is_choice)


def test_a_scale_follows_how_much_rewards_vary() -> None:
    costs = (np.arange(400) % 5 - 22.0).tolist()  # a deviation of sqrt(2) about -20
    assert _scale(costs) == 0.1
    assert _scale(costs, is_choice=False) == 0.001


def test_few_different_rewards_keep_the_scale() -> None:
    for episode in ([-1.0] * 99 + [100.0], [1.0] * 200, [0.0] * 199 + [1.0]):
        assert _scale(episode) == _scale(episode, is_choice=False)


def test_a_prize_keeps_the_scale() -> None:
    costs = np.where(np.arange(400) % 2, -0.001, -0.003).tolist()
    assert _scale([*costs, 1.0]) == _scale([*costs, 1.0], is_choice=False)


class Turns(gym.Env[Any, Any]):
    """Pay in each step, or only if the action isn't the last one."""

    observation_space = gym.spaces.Box(0.0, 1.0, (2,), np.float64)
    action_space = Discrete(4)

    def __init__(self, costs: bool) -> None:
        self._costs, self._last, self._left = costs, 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._left = 60
        return self.np_random.random(2), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(not self._costs or action != self._last)
        self._last, self._left = int(action), self._left - 1
        return self.np_random.random(2), reward, not self._left, False, {}


@pytest.mark.parametrize(("costs", "repeats"), [(True, 1), (False, 8)])
def test_actions_whose_repetition_costs_are_not_repeated(costs: bool, repeats: int) -> None:
    agent = SpikingActorCritic(TimeLimit(Turns(costs), 1000), seed=1)
    assert agent.config.policy.repeats == repeats
    agent.close()
