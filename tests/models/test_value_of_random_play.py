"""Check at which value the critic begins where actions are numbers: that of random play, or 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.critics import Linear, Optimistic
from neurorl.models.defaults.presets import make_config
from neurorl.models.defaults.rates import value_of_random_play
from neurorl.tasks.first_play import FirstPlay

STEPS: list[tuple[float, bool]] = []
"""All rewards, and whether they ended an episode: a first play may be played by a copy."""


class Pushed(gym.Env[Any, Any]):
    """Push a point; each step pays as told, and may end the episode.

    pays: returns the reward from the place and the action. ends: the chance that a step ends it.
    """

    observation_space = gym.spaces.Box(-2.0, 2.0, (2,))
    action_space = gym.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, pays: Callable[[float, float], float], ends: float = 0.0) -> None:
        self._pays, self._ends = pays, ends

    def _observation(self) -> Any:
        return np.array([self._at, self._speed], dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._t, self._speed, self._at = 0, 0.0, self.np_random.uniform(-1.0, 1.0)
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self._t += 1
        self._speed = float(np.clip(self._speed + 0.1 * action[0], -1.0, 1.0))
        self._at = float(np.clip(self._at + 0.1 * self._speed, -2.0, 2.0))
        reward = self._pays(self._at, float(action[0]))
        is_over = bool(self.np_random.random() < self._ends)
        STEPS.append((reward, is_over))
        return self._observation(), reward, is_over, self._t >= 50, {}


def initial_of(env: gym.Env[Any, Any]) -> float:
    """Return the value that the default's critic begins at, in rewards that aren't scaled."""
    config = make_config(env)
    return float(config.critic.initial_value / config.reward_scale)


PLACES = [lambda at, _: -abs(at), lambda at, _: 1.0 - at * at, lambda at, a: -0.2 * abs(at) - a * a]


@pytest.mark.parametrize("pays", PLACES)
@pytest.mark.parametrize("ends", [0.0, 0.02])
def test_it_leaves_no_error_in_the_mean(pays: Callable[[float, float], float], ends: float) -> None:
    env = Pushed(pays, ends)
    STEPS.clear()
    value, gamma = initial_of(env), 0.99
    errors = [r + gamma * value * (not is_over) - value for r, is_over in STEPS]
    assert len(errors) == 2_000
    assert abs(np.mean(errors)) < 0.01 * np.std([r for r, _ in STEPS])


COSTS = {
    "nothing": lambda _, a: 0.0,
    "every step": lambda _, a: -1.0,
    "squares": lambda _, a: -0.1 * a * a,
    "sizes": lambda _, a: -0.1 * abs(a),
    "both, and pushes to the left": lambda _, a: 0.1 * a - abs(a) - a * a,
}


@pytest.mark.parametrize("name", COSTS)
def test_it_is_0_where_actions_alone_cost(name: str) -> None:
    assert initial_of(Pushed(COSTS[name])) == 0.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_it_is_0_where_it_would_be_large(sign: float) -> None:
    """A long way ahead, the same rewards make a value many times as large as a return that is 1."""
    near, far = (
        make_config(Pushed(lambda at, _: sign * (1.0 + 0.1 * at)), "lif", {"gamma": gamma}).critic
        for gamma in (0.99, 0.999)
    )
    assert sign * near.initial_value > 1.0
    assert far.initial_value == 0.0


def test_it_is_0_without_a_step() -> None:
    assert value_of_random_play(FirstPlay(), 0.99, 1.0) == 0.0


def test_a_critic_that_is_named_stays() -> None:
    config = make_config(Pushed(PLACES[0]), "lif", {"critic": "linear"})
    assert type(config.critic) is Linear
    named = make_config(Pushed(PLACES[0]), "lif", {"critic.initial_value": 3.0})
    assert isinstance(named.critic, Optimistic)
    assert named.critic.initial_value == 3.0
    assert named.critic.alpha == make_config(Pushed(PLACES[0])).critic.alpha


@pytest.mark.parametrize("scale", [0.001, 0.05])
def test_it_is_in_the_units_of_a_scale_that_is_named(scale: float) -> None:
    usual = make_config(Pushed(PLACES[0]))
    named = make_config(Pushed(PLACES[0]), "lif", {"reward_scale": scale})
    assert named.critic.initial_value != 0.0
    assert named.critic.initial_value / scale == pytest.approx(
        usual.critic.initial_value / usual.reward_scale, rel=0.01
    )


def test_a_scale_that_is_no_number_is_refused() -> None:
    with pytest.raises(DescriptionError, match="reward_scale: not a number"):
        make_config(Pushed(PLACES[0]), "lif", {"reward_scale": "large"})


@pytest.mark.parametrize("paid", [5e-324, 1e300, 1.7e308])
@pytest.mark.parametrize("gamma", [0.0, 0.99, 1.0])
def test_it_is_finite(paid: float, gamma: float) -> None:
    config = make_config(Pushed(lambda at, _: paid * (at > 0.0)), "lif", {"gamma": gamma})
    assert np.isfinite(config.critic.initial_value)


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_what_costs_everywhere_but_at_a_mark_is_learned(seed: int) -> None:
    """From 0, agents of seeds 101 and 102 are driven to one side, and stay at -413 and -438."""
    agent = SpikingActorCritic(Pushed(lambda at, _: 10.0 * max(-1.0, -abs(at - 0.5))), seed=seed)
    agent.learn(total_timesteps=10_000)
    assert np.mean([episode.ret for episode in agent.episodes[-20:]]) > -150.0
