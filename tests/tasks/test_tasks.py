"""A preset is for a task with its own spaces; others have the default, and are told."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.wrappers import (
    DtypeObservation,
    FrameStackObservation,
    TransformAction,
    TransformObservation,
)

from neurorl import SpikingActorCritic
from neurorl.agents.algorithms import REPARAMETERIZATION
from neurorl.agents.group import GroupPlan
from neurorl.backends.spec import BackendSpec
from neurorl.errors import EnvironmentWarning
from neurorl.models.defaults.observations import default_features
from neurorl.models.defaults.presets import MODELS, make_config
from neurorl.models.features import Concat, Select, Tiles
from neurorl.reparameterization.config import GradientConfig
from neurorl.tasks.known import BANDIT_ID, GRID_ID, POSITION_ONLY_ID, is_like, task_of

TASKS = [BANDIT_ID, GRID_ID, "CartPole-v1", POSITION_ONLY_ID, "MountainCar-v0"]

Env = gym.Env[Any, Any]


def scaled() -> Env:
    """Show CartPole from -1 to 1."""
    env = gym.make("CartPole-v1")
    by = np.array([2.4, 3.0, 0.21, 3.0], np.float32)
    return TransformObservation(
        env, lambda seen: np.clip(seen / by, -1.0, 1.0), Box(-1.0, 1.0, (4,), np.float32)
    )


def narrower() -> Env:
    env = gym.make("CartPole-v1")
    return TransformObservation(env, lambda seen: seen[:2], Box(-5.0, 5.0, (2,), np.float32))


def third_action() -> Env:
    return TransformAction(gym.make("CartPole-v1"), lambda a: a % 2, Discrete(3))


def later_actions() -> Env:
    return TransformAction(gym.make("MountainCar-v0"), lambda a: a - 5, Discrete(3, start=5))


OTHERS: dict[str, Callable[[], Env]] = {
    "other bounds": scaled,
    "another shape": narrower,
    "more actions": third_action,
    "other numbers of actions": later_actions,
    "stacked": lambda: FrameStackObservation(gym.make("MountainCar-v0"), 2),
    "more contexts": lambda: gym.make(BANDIT_ID, contexts=9),
    "fewer arms": lambda: gym.make(BANDIT_ID, arms=2),
    "states as whole numbers": lambda: TransformObservation(
        gym.make(GRID_ID), lambda seen: seen - 1, Discrete(100)
    ),
    "coordinates": lambda: TransformObservation(
        gym.make(GRID_ID),
        lambda seen: np.array(divmod(seen - 1, 10)),
        MultiDiscrete([10, 10]),
    ),
    "whole numbers": lambda: TransformObservation(
        gym.make("MountainCar-v0"), lambda seen: seen.astype(np.int64), Box(-2, 1, (2,), np.int64)
    ),
}


@pytest.mark.parametrize("env_id", TASKS)
def test_a_task_has_the_spaces_that_are_known_of_it(env_id: str) -> None:
    env = gym.make(env_id)
    assert task_of(env) == env_id
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in MODELS:
            make_config(env, model)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_another_space_has_the_default_and_a_line_that_says_so(name: str, model: str) -> None:
    env = OTHERS[name]()
    with pytest.warns(EnvironmentWarning, match="preset is not used") as told:
        config = make_config(env, model)
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert told[0].filename == __file__
    # The same spaces under an id that nothing is known of: the same but for what counts as solved.
    plain = Unknown(env)
    expected = make_config(plain, model).to_dict()
    assert env.spec is not None
    assert {**config.to_dict(), "solved_at": None} == expected
    assert config.solved_at == env.spec.reward_threshold


class Unknown(Env):
    """Return an environment without an id, of the same most steps."""

    def __init__(self, env: Env) -> None:
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.reset, self.step = env.reset, env.step  # type: ignore[method-assign]
        assert env.spec is not None
        self.metadata = {"max_episode_steps": env.spec.max_episode_steps}


@pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")
@pytest.mark.parametrize("name", OTHERS)
def test_an_agent_learns_there(name: str) -> None:
    agent = SpikingActorCritic(OTHERS[name](), actors=2, hidden=2)
    assert len(agent.learn(total_episodes=2)) == 2


def test_scaled_cartpole_has_cells_where_it_is() -> None:
    with pytest.warns(EnvironmentWarning):
        cells = make_config(scaled()).cells
    assert isinstance(cells, Select)
    assert isinstance(cells.of, Concat)
    highest = [float(part.high.max()) for part in cells.of.parts if isinstance(part, Tiles)]
    assert highest[0] < 1.0  # as was seen
    assert highest[6:] == [1.0] * 6  # as is declared
    assert make_config(scaled_as_double()).features != default_features(Box(-1.0, 1.0, (4,)))


def scaled_as_double() -> Env:
    """CartPole in another width of floats is still the task."""
    return DtypeObservation(gym.make("CartPole-v1"), np.float64)


def test_floats_of_another_width_are_the_task() -> None:
    assert task_of(scaled_as_double()) == "CartPole-v1"


def test_an_override_without_a_preset_is_no_reason_to_warn() -> None:
    env = gym.make("neurorl/CartPole-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_config(env)


@pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")
def test_gradients_have_the_preset_of_the_task_only() -> None:
    pytest.importorskip("torch", reason="the gradient algorithm needs PyTorch")

    def entropy(env: Env) -> float:
        config = make_config(env, "lif", {"actors": 1, "hidden": 1})
        plan = GroupPlan(env, "", config, (0,), BackendSpec("torch"), {"environments": 1})
        gradient = plan.make(REPARAMETERIZATION).gradient
        assert isinstance(gradient, GradientConfig)
        return gradient.entropy

    assert entropy(gym.make("MountainCar-v0")) == 1e-3
    assert entropy(later_actions()) == 0.0
    assert entropy(gym.make(GRID_ID)) == 1e-2


@pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")
def test_learning_on_the_chip_has_the_preset_of_the_task_only() -> None:
    one, other = (
        make_config(env, "lif", {"learning": "pes"}).alpha_output
        for env in (gym.make(GRID_ID), OTHERS["states as whole numbers"]())
    )
    assert (one, other) == (0.2, 0.12)  # what is chosen for numbered states is not for the chip


def test_likeness_of_spaces() -> None:
    float32_max = float(np.finfo(np.float32).max)
    assert is_like(Box(-np.inf, np.inf, (2,)), Box(-float32_max, float32_max, (2,)))
    assert not is_like(Box(-1, 1, (2,)), Box(-1, 1.01, (2,)))
    assert not is_like(Box(-1, 1, (2,)), Box(-1, 1, (2, 1)))
    assert not is_like(Box(0, 1, (2,)), Box(0, 1, (2,), np.uint8))
    assert not is_like(Discrete(3), Discrete(3, start=1))
    assert not is_like(Discrete(3), Box(0, 3, ()))
