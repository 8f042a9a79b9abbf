"""Test what gradients of a task without a preset follow from."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl.models.agent.policies import Softmax
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Concat, OneHot, Select, Tiles
from neurorl.reparameterization import GradientConfig, make_gradient
from neurorl.tasks.environments import make_env

ACROBOT = "Acrobot-v1"


def found(
    model: str = "lif", options: dict[str, Any] | None = None, **named: Any
) -> GradientConfig:
    fields = {"cells": tiles(1), "features": tiles(1), "reward_scale": 0.1, **named}
    return make_gradient(make_config(gym.make(ACROBOT), model, fields), ACROBOT, options)


def tiles(sets: int, n: int = 6) -> Select:
    """Return tiles of n numbers, 4 of which are active in each of so many sets."""
    return Select(Concat((Tiles([-1.0], [1.0], 4, 4),) * sets), (0,) * sets, n)


def test_rates_fall_with_the_cells_that_are_active() -> None:
    """Adam moves each weight by the rate, so the drive by as much as cells are active."""
    assert found().to_dict() == GradientConfig().to_dict()
    assert found(cells=tiles(3)).learning_rate == 0.003
    assert found(cells=tiles(6)).learning_rate == 0.0015
    assert found(cells=tiles(12)).learning_rate == 0.00075
    assert found("glm", cells=tiles(6)).learning_rate == 0.005
    assert found(cells=tiles(6), options={"learning_rate": 0.01}).learning_rate == 0.01
    grid = make_config(make_env("FrozenLake-v1"), "lif", {"cells": OneHot(16)})
    assert make_gradient(grid, "FrozenLake-v1").learning_rate == 0.003


@pytest.mark.parametrize(
    ("repeats", "steps", "lambda_"), [(4, 16, 0.9), (8, 32, 0.97), (16, 64, 0.98), (50, 128, 0.99)]
)
def test_a_rollout_has_four_choices_or_more(repeats: int, steps: int, lambda_: float) -> None:
    gradient = found(policy=Softmax(repeats=repeats))
    assert (gradient.steps, gradient.lambda_advantage) == (steps, lambda_)
    assert (
        found(policy=Softmax(repeats=repeats), cells=tiles(12)).learning_rate
        == 0.00075 * steps / 16
    )
    named = found(policy=Softmax(repeats=repeats), options={"steps": 16, "lambda_advantage": 0.5})
    assert (named.steps, named.lambda_advantage) == (16, 0.5)


def test_numbers_keep_the_rate() -> None:
    pendulum = make_config(gym.make("Pendulum-v1"), "lif", {"reward_scale": 0.01})
    assert pendulum.cells.of_all(np.zeros((1, pendulum.cells.n_inputs))).sum() == 24
    assert make_gradient(pendulum, "Pendulum-v1").to_dict() == GradientConfig().to_dict()


def test_a_preset_comes_before_what_follows_from_the_cells() -> None:
    fields = {"cells": tiles(18, 2), "features": tiles(18, 2)}
    car = make_config(make_env("MountainCar-v0"), "lif", fields)
    assert make_gradient(car, "MountainCar-v0").learning_rate == 0.001
