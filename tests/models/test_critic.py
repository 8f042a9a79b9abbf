"""Test the spiking critic: what it says of a state, what its neurons learn by, and when."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from configs import config_of
from hypothesis import given
from hypothesis import strategies as st

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError, NeurorlError, PopulationWarning
from neurorl.learning.learner import Learner
from neurorl.models import LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import SpikingCritic
from neurorl.models.features import RBF, Concat, Fourier, OneHot, Tiles
from neurorl.rules import Decision, HiddenLayer
from neurorl.rules.registry import VALUE

LOW, HIGH = (-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0)
SMALL: dict[str, Any] = {
    "model": "lif-spiking-critic",
    "actors": 2,
    "hidden": 3,
    "critic.neurons": 4,
    "features": RBF(LOW, HIGH, cells=2),
}
RASTER = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], bool)


def test_the_value_is_the_difference_of_two_rates() -> None:
    """From step 1 on, the halves spike 3 + 2 and 0 + 1 times in 4 steps: 6 (5 - 1) / (4 4)."""
    critic = SpikingCritic(size=4, first=1, steps=5, scale=6.0)
    assert critic.value(RASTER) == 1.5
    assert critic.signs.tolist() == [1, 1, -1, -1]


def test_the_factors_of_a_window() -> None:
    """Counts of 3, 2, 0, 1 in 4 steps leave 1/4, 1/2, 1, 3/4 of a spike."""
    layer = HiddenLayer(RASTER, 1, 0, SpikingCritic(size=4, first=1, steps=5, scale=6.0).signs)
    f = VALUE.texts[1].factors(Decision(0, np.zeros(2), RASTER, 0), layer)
    expected = [
        [0, 0, 0, 0],
        [0.25, 0, 0, -0.75],
        [0.25, 0.5, 0, 0],
        [0.25, 0, 0, 0],
        [0, 0.5, 0, 0],
    ]
    assert f.tolist() == expected


@given(p=st.floats(0.05, 0.95), steps=st.integers(4, 40))
def test_the_factor_estimates_the_slope(p: float, steps: int) -> None:
    """The mean of n (1 - n/W) is (W - 1) p (1 - p) if n of W steps have a spike."""
    n = np.arange(steps + 1)
    binomial = np.array([1.0])
    for _ in range(steps):
        binomial = np.asarray(np.convolve(binomial, [1 - p, p]))
    assert np.isclose(binomial @ (n * (1 - n / steps)), (steps - 1) * p * (1 - p))


class Corridor(gym.Env[Any, Any]):
    """Put four states in a row, with a reward of 1 at the end, terminal if ``ends``."""

    observation_space = gym.spaces.Box(np.array(LOW), np.array(HIGH), dtype=np.float64)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.at = 0
        return self.seen(), {}

    def seen(self) -> Any:
        return np.array([self.at * 0.7 - 1, 0.5, 0.05, -0.5])

    def step(self, action: Any) -> Any:
        self.at += 1
        over = self.at == 4
        return self.seen(), float(over), over and self.terminal, over and not self.terminal, {}


@pytest.mark.parametrize("terminal", [True, False])
def test_each_decision_is_learned_from_when_the_next_state_is_valued(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The modulators of an episode are the TD errors of the values that its windows showed."""
    deltas, values = [], []
    learn, value = Learner.learn, SpikingCritic.value

    def learned(self: Learner, modulator: float, rate: float, ends: bool = False) -> None:
        deltas.append(modulator)
        learn(self, modulator, rate, ends)

    def valued(self: SpikingCritic, raster: Any) -> float:
        values.append(value(self, raster))
        return values[-1]

    monkeypatch.setattr(Learner, "learn", learned)
    monkeypatch.setattr(SpikingCritic, "value", valued)
    env = Corridor(terminal)
    agent = SpikingActorCritic(env, seed=3, loop="numpy", gamma=0.9, reward_scale=2.0, **SMALL)
    agent.learn(total_episodes=1)
    v = np.array(values)
    assert len(v) == 4
    assert v.any()
    td = list(0.9 * v[1:] - v[:-1])
    # First there is no decision before; and what a terminal state is worth needs no window.
    assert np.allclose(deltas, [0.0, *td, *([2.0 - v[-1]] if terminal else [])])


def test_the_critic_learns_what_states_are_worth() -> None:
    """After enough episodes, the values along the corridor are near gamma**k."""
    options = {**SMALL, "critic.neurons": 200, "features": RBF(LOW, HIGH, cells=4)}
    env = Corridor(terminal=True)
    agent = SpikingActorCritic(
        env, seed=1, gamma=0.8, reward_scale=1.0, **{**options, "critic.scale": 4.0}
    )
    with pytest.warns(PopulationWarning, match="flat"):  # no action changes what it gets
        agent.learn(total_episodes=250)
    player = agent.player(5)
    critic = SpikingCritic(200, 1, agent.config.window, 4.0)
    found = []
    for at in range(4):
        env.at = at
        found.append(
            np.mean([critic.value(player.move(env.seen()).rasters["critic"]) for _ in range(50)])
        )
    assert np.allclose(found, 0.8 ** np.arange(3, -1, -1), atol=0.12)


def test_agents_that_only_play_learn_nothing() -> None:
    agent = SpikingActorCritic("CartPole-v1", seed=1, **SMALL)
    agent.learn(total_episodes=2)
    before = {name: w.copy() for name, w in agent.memory.weights.items()}
    for _ in range(5):
        agent.predict(np.zeros(4))
    player = agent.player(4)
    for _ in range(5):
        player.move(np.zeros(4))
    assert all(np.array_equal(w, before[name]) for name, w in agent.memory.weights.items())
    assert any(w.any() for name, w in before.items() if "critic" in name)


def test_what_cannot_be_is_refused() -> None:
    def config(**options: Any) -> AgentConfig:
        cells = OneHot(3)
        chosen = {"neuron": LIF(noise=0.5), "rule": "spikes-only", "window": 8}
        return config_of(
            **{**chosen, "cells": cells, "features": cells, "critic": "spiking", **options}
        )

    config()
    for options, match in (
        ({"critic": "spikin"}, "spiking"),
        ({"critic.neurons": 7}, "even"),
        ({"window": 2, "hidden": 0}, "count"),
        ({"modulator": "reward"}, "td-error"),
        ({"features": Fourier([0], [1])}, "RBF"),
        ({"features": Concat((OneHot(2), Fourier([0], [1])))}, "RBF"),
        ({"critic.scale": -1.0}, r"critic\.scale"),
        ({"description": config(critic="linear").network(2)}, "critic_input"),
    ):
        with pytest.raises(NeurorlError, match=match):
            config(**options)


def test_joint_cells_are_products_of_bumps() -> None:
    """Two dimensions at 1/2 and 0 of 3 cells each, of width 1/2, give exp(-2 d**2)."""
    x = RBF([0, 0], [1, 2], cells=3, width=0.5, floor=1e-3)([0.5, 0.0]).reshape(3, 3)
    vertical = np.exp(-2.0 * np.array([1, 0, 1]))
    horizontal = np.exp(-2.0 * np.array([0, 1, 4]))
    expected = np.outer(vertical, horizontal)
    assert np.allclose(x, np.where(expected < 1e-3, 0, expected))
    assert (x == 0).sum() == 3
    with pytest.raises(DescriptionError, match="cells"):
        RBF([0], [1], cells=1)
    assert Tiles([0], [1]).are_cells
    assert not Fourier([0], [1]).are_cells
