"""A critic of what is dark at times has features of one size, so it doesn't diverge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary
from sampled import sampled

from neurorl import ReparameterizedActorCritic, SpikingActorCritic, evaluate
from neurorl.errors import DescriptionError
from neurorl.models.defaults.presets import make_config
from neurorl.models.defaults.rates import critic_features
from neurorl.models.features import GaussianCells, Multiply
from neurorl.models.features.image_cells import ImageCells

FLAGS = GaussianCells(np.zeros(48), np.ones(48), 1)


class Flashes(gym.Env[Any, Any]):
    """Flash noise in the left or right half of a dark screen, and pay 1 for the side; 10 times."""

    observation_space: Any = Box(0, 1, (10, 10), np.uint8)
    action_space = Discrete(2)

    def _shown(self) -> Any:
        screen = np.zeros((10, 10), np.uint8)
        if self._step % 5 == 0:
            self._side = int(self.np_random.integers(2))
            half = self.np_random.random((10, 5)) < 0.6
            screen[:, 5 * self._side : 5 * self._side + 5] = half
        return screen.reshape(self.observation_space.shape)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        return self._shown(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        paid = float(self._step % 5 == 0 and action == self._side)
        self._step += 1
        return self._shown(), paid, False, self._step == 50, {}


class FlashesOfFlags(Flashes):
    observation_space = MultiBinary(100)


class Counted(FlashesOfFlags):
    steps = 0

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        Counted.steps += 1
        return super().step(action)


def rows(*active: int) -> Any:
    return np.array([np.arange(48) < n for n in active], dtype=np.float64)


def test_features_are_scaled_if_some_are_dark() -> None:
    scaled = critic_features(FLAGS, rows(36, 1, 20))
    assert scaled == Multiply(FLAGS, 0.1667)
    assert critic_features(FLAGS, rows(36, 0)) == scaled
    assert critic_features(FLAGS, rows(48, 2)) is FLAGS
    assert critic_features(FLAGS, rows(20, 5)) is FLAGS
    assert critic_features(FLAGS, rows(0, 0)) is FLAGS


def test_some_of_many_observations_are_looked_at() -> None:
    assert critic_features(FLAGS, rows(*([36] * 1200), 0)) == Multiply(FLAGS, 0.1667)
    assert critic_features(FLAGS, rows(36, 0, *([36] * 1200))) is FLAGS


def test_scaled_features_are_multiplied() -> None:
    of = GaussianCells((0, -1), (1, 1), 3)
    scaled = Multiply(of, 0.25)
    shown = np.random.default_rng(1).normal(size=(20, 2))
    assert np.array_equal([scaled(row) for row in shown], [0.25 * of(row) for row in shown])
    assert np.array_equal(scaled.of_all(shown), [scaled.values(row) for row in shown])
    assert np.array_equal(scaled.flat(shown[0]), of.flat(shown[0]))
    assert (scaled.size, scaled.n_inputs, scaled.are_cells) == (6, 2, False)
    assert Multiply.from_dict(scaled.to_dict()) == scaled
    for factor in (-1.0, np.nan, "much"):
        with pytest.raises(DescriptionError, match=r"Multiply\.factor"):
            Multiply(of, factor)  # type: ignore[arg-type]


MODULES = {"actors": 10}
"""Name what images have only where cells are chosen."""


@pytest.mark.parametrize("env", sampled([FlashesOfFlags, Flashes]))
def test_flashes_are_learned(env: type[Flashes], tmp_path: Path) -> None:
    config = make_config(env(), overrides=MODULES)
    assert type(config.features) is Multiply
    assert isinstance(config.cells, ImageCells) == (env is Flashes)
    agent = SpikingActorCritic(env(), seed=1, config=config)
    agent.learn(total_steps=8_000)  # without, values are not finite from step 2,400 or 9,000 on
    assert evaluate(agent, episodes=5)["mean_return"] > 8.0  # of 10; 5 by chance
    agent.close()


def test_gradients_learn_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = gym.envs.registration.EnvSpec("tests/Flashes-v0", lambda **_: Flashes())
    monkeypatch.setitem(gym.registry, spec.id, spec)
    agent = ReparameterizedActorCritic(spec.id, seed=1)
    agent.learn(total_steps=400)
    assert type(agent.config.features) is Multiply
    agent.close()


def test_what_is_named_stays() -> None:
    cells = make_config(Flashes(), overrides=MODULES).cells
    assert make_config(Flashes(), "lif", {"cells": cells}).features == cells
    assert make_config(Flashes(), "lif", {"features": cells}).features == cells
    flags = GaussianCells(np.zeros(100), np.ones(100), 1)
    assert make_config(FlashesOfFlags(), "lif", {"features": flags}).features == flags


def test_nothing_is_played_if_all_is_named() -> None:
    flags = GaussianCells(np.zeros(100), np.ones(100), 1)
    make_config(Counted(), "lif", {"features": flags, "reward_scale": 1.0})
    assert Counted.steps == 0
    make_config(Counted(), "lif", {"reward_scale": 1.0})
    assert Counted.steps == 2000


def test_a_spiking_critic_sees_cells() -> None:
    assert make_config(FlashesOfFlags(), "lif", {"critic": "spiking"}).features.are_cells
