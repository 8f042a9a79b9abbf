"""Test images and long vectors: what the defaults make of them is bounded, and said."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from noise import Shows

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.errors import ArgumentError, DescriptionError, EnvironmentWarning, UnsupportedError
from neurorl.models.defaults.observations import default_cells, default_features
from neurorl.models.defaults.presets import MODELS, make_config
from neurorl.models.features import Concat, Features, Fourier, GaussianCells, OneHot
from neurorl.models.features.of_others import BlockMeans, blocks_for, pooled

SIZES = [(84, 84, 1), (84, 84, 3), (210, 160, 3), (96, 96), (5000,), (4, 84, 84)]


def image(shape: tuple[int, ...]) -> Box:
    return Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_an_agent_of_images_takes_little_memory_and_says_what_it_sees(
    shape: tuple[int, ...],
) -> None:
    tracemalloc.start()
    with pytest.warns(EnvironmentWarning, match="the agent sees the means of") as told:
        agent = SpikingActorCritic(Shows(image(shape)), actors=4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert peak < 100e6
    assert agent.config.cells.size <= 1024
    assert agent.config.features.size <= 1024


@pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")
@pytest.mark.parametrize("model", MODELS)
def test_an_agent_of_images_learns_in_both_loops_alike(model: str, tmp_path: Path) -> None:
    def trained(loop: str) -> SpikingActorCritic:
        env = Shows(image((40, 40, 3)))
        few: Any = {} if model == "deep" else {"actors": 1, "hidden": 0}
        agent = SpikingActorCritic(env, model, seed=3, loop=loop, **few)
        agent.learn(total_episodes=3)
        return agent

    native, numpy = trained("native"), trained("numpy")
    for name, weights in native.weights.items():
        np.testing.assert_array_equal(weights, numpy.weights[name])
    assert native.episodes[-1].ret == numpy.episodes[-1].ret
    native.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env=Shows(image((40, 40, 3))))
    assert loaded.config == native.config
    assert evaluate(loaded, 2) == evaluate(native, 2)


def test_means_of_blocks() -> None:
    numbers: Any = np.arange(24.0).reshape(4, 6)
    np.testing.assert_array_equal(pooled(numbers, (4, 6)), numbers)
    assert pooled(numbers, (1, 1)).tolist() == [[11.5]]
    expected = numbers.reshape(2, 2, 3, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(pooled(numbers, (2, 3)), expected)
    line: Any = np.arange(5.0)
    assert pooled(line, (2,)).tolist() == [0.5, 3.0]
    seen = BlockMeans(GaussianCells(np.zeros(6), np.full(6, 23.0), 1), (4, 6), (2, 3))
    np.testing.assert_allclose(seen(numbers), expected.ravel() / 23.0)
    np.testing.assert_array_equal(seen(numbers.ravel()), seen(numbers))
    flat = np.stack([seen.flat(numbers), seen.flat(numbers[::-1])])
    np.testing.assert_array_equal(seen.of_all(flat)[1], seen(numbers[::-1]))
    assert Features.from_dict(seen.to_dict()) == seen
    with pytest.raises(ArgumentError, match="another shape"):
        seen(np.zeros(23))


@pytest.mark.parametrize("shape", [(84, 84, 3), (7,), (1, 1, 5000), (3, 1000, 2), (2, 2)], ids=str)
def test_blocks_are_as_many_as_fit(shape: tuple[int, ...]) -> None:
    blocks = blocks_for(shape, 400)
    assert np.prod(blocks) <= 400
    assert all(1 <= b <= n for b, n in zip(blocks, shape, strict=True))
    assert np.prod(shape) > 400 or blocks == shape


def test_blocks_are_checked() -> None:
    two = GaussianCells((0, 0), (1, 1), 1)
    wrong: list[tuple[Any, Any, Any]] = [
        *((two, (4,), (3,)), (two, (4,), (5,)), (two, (4, 1), (2,)), (two, (), ())),
        *((two, (4,), (0,)), (two, (4.5,), (2,)), (two, 4, (2,)), (OneHot(2), (4,), (2,))),
        (None, (4,), (2,)),
    ]
    for of, shape, blocks in wrong:
        with pytest.raises(DescriptionError):
            BlockMeans(of, shape, blocks)


def test_smaller_ones_are_as_they_were() -> None:
    for n in (1, 4, 27, 128, 400, 1024):
        space = Box(-1, 1, (n,))
        assert type(default_cells(space)) is GaussianCells
        assert type(default_features(space)) is Fourier
    assert default_features(Box(-1, 1, (1024,))).n_inputs == 1024


def test_parts_of_a_dict_are_pooled_by_themselves() -> None:
    space = Dict({"camera": image((64, 64, 3)), "speed": Box(-1, 1, (2,)), "gear": Discrete(5)})
    cells = default_cells(space)
    assert isinstance(cells, Concat)
    assert [type(part) for part in cells.parts] == [BlockMeans, OneHot, GaussianCells]
    with pytest.warns(EnvironmentWarning, match="means"):
        agent = SpikingActorCritic(Shows(space), actors=1, hidden=0)
    assert len(agent.learn(total_episodes=2)) == 2
    assert type(default_cells(MultiBinary((60, 60)))) is BlockMeans


def test_what_is_chosen_is_not_warned_of() -> None:
    space = image((84, 84))
    chosen = {"cells": default_cells(space), "features": default_features(space)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_config(Shows(space), "lif", chosen)


@pytest.mark.parametrize(
    "space", [Discrete(10**9), MultiDiscrete(np.full((84, 84), 256)), Discrete(10**6, start=-5)]
)
def test_too_many_states_for_a_cell_each(space: gym.Space[Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"too many states.*cells="):
        SpikingActorCritic(Shows(space))


def test_exploration_is_of_the_softmax() -> None:
    env = gym.make("CartPole-v1")
    with pytest.raises(DescriptionError, match=r"exploration.*policy 'softmax'"):
        make_config(env, "lif", {"policy": "greedy", "policy.exploration": 1.0})
    # The preset's own is dropped, as it was without effect.
    config = make_config(env, "lif-spiking-critic", {"policy": "greedy"})
    assert config.policy.exploration == 0.0
    assert make_config(env, "lif", {"policy.exploration": 1.0}).policy.exploration == 1.0
