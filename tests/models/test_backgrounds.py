"""Check that images on any background are seen as they would be on a black one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from moving_balls import balls

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.memories import Memories
from neurorl.models.agent.past import Past
from neurorl.models.defaults.deep import has_patches
from neurorl.models.defaults.images import background
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Features, Raw
from neurorl.models.features.of_others import BlockMeans


class Over(gym.ObservationWrapper[Any, Any, Any]):
    """Show channels over colours: pixels of 0 have these, others are half as far from them."""

    def __init__(self, env: gym.Env[Any, Any], colours: tuple[int, ...]) -> None:
        super().__init__(env)
        self._colours = np.array(colours)

    def observation(self, observation: Any) -> Any:
        signs = np.where(self._colours > 128, -1, 1)
        return (self._colours + signs * (observation // 2)).astype(np.uint8)


def usual_of(cells: Features) -> tuple[float, ...]:
    of = cells.of if isinstance(cells, BlockMeans) else cells
    assert isinstance(of, Raw)
    return of.usual


@pytest.mark.parametrize("shows", [False, True])
@pytest.mark.parametrize("colours", [(255, 255), (255, 0), (100, 200), (1, 129)])
def test_a_background_changes_no_bit(colours: tuple[int, ...], shows: bool) -> None:
    colours = (*colours, colours[0])[: 2 + shows]
    on_black, over = (
        SpikingActorCritic(Over(balls(shows=shows), of), seed=3)
        for of in ((0,) * (2 + shows), colours)
    )
    assert usual_of(over.config.cells) == colours
    assert usual_of(on_black.config.cells) == ()
    assert bool(over.config.traces) != shows
    for agent in (on_black, over):
        agent.learn(total_steps=120)
    for key, weights in on_black.weights.items():
        assert np.array_equal(weights, over.weights[key])


class Within(gym.ObservationWrapper[Any, Any, Any]):
    """Show images by numbers of another range, in a space of a still wider one."""

    def __init__(
        self, env: gym.Env[Any, Any], low: float, high: float, declared: tuple[float, float]
    ) -> None:
        super().__init__(env)
        self._low, self._unit = low, (high - low) / 255.0
        self.observation_space = Box(*declared, env.observation_space.shape, np.float64)

    def observation(self, observation: Any) -> Any:
        return self._low + self._unit * observation


ENDS = [(0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (-8.0, 0.0), (5.0, 6.0)]
WIDE = [(0.0, 10.0), (-4.0, 1000.0), (-1e9, 1e9), (-np.inf, np.inf), (0.0, np.inf)]


@pytest.mark.parametrize(
    ("ends", "declared"), [*zip(ENDS, ENDS, strict=True), *(((0.0, 1.0), wide) for wide in WIDE)]
)
def test_a_range_changes_no_bit(ends: tuple[float, float], declared: tuple[float, float]) -> None:
    """Show images in a space that declares their range, or a much wider one."""
    envs = balls(), Within(balls(), *ends, declared)
    usual, within = (SpikingActorCritic(env, seed=3) for env in envs)
    assert within.config.traces == usual.config.traces != ()
    for agent in (usual, within):
        agent.learn(total_steps=120)
    for key, weights in usual.weights.items():
        assert np.array_equal(weights, within.weights[key])


def test_rows_of_measurements_are_numbers() -> None:
    env = balls()
    for space, has in ((Box(-1.0, 1.0, (5, 5)), False), (Box(0.0, 1.0, (5, 5)), True)):
        assert has_patches(space) == has
    for low in (-np.inf, -1.0, float(np.finfo(np.float32).min)):
        space = Box(low, 1.0, (6, 6, 2), np.float32)
        assert has_patches(space) == (low == -1.0)
        assert has_patches(space, is_played=True)
    assert has_patches(env.observation_space)


def test_means_of_blocks_are_measured_from_a_background() -> None:
    config = make_config(Over(balls((50, 40)), (255, 90)))
    assert isinstance(config.cells, BlockMeans)
    assert usual_of(config.cells) == (255.0, 90.0)
    empty = np.broadcast_to([255, 90], (50, 40, 2))
    assert not config.cells(empty).any()


@pytest.mark.parametrize("most", [0.45, 0.6])
def test_a_background_is_the_value_of_half_of_all_pixels(most: float) -> None:
    draws = np.random.default_rng(1)
    rows = np.where(draws.random((50, 80)) < most, 7.0, draws.random((50, 80)))
    assert background(rows, 1) == ((7.0,) if most > 0.5 else ())
    assert background(rows, 4) == ((7.0,) * 4 if most > 0.5 else ())
    assert background(np.zeros((3, 4)), 2) == ()


def test_numbers_from_usual_ones_by_hand() -> None:
    assert Raw(4, 2.0, (10.0, 0.0))(np.array([6.0, 6.0, 12.0, -2.0])).tolist() == [
        2.0,
        3.0,
        1.0,
        1.0,
    ]
    for wrong in ((1.0, 2.0, 3.0), ("a",), 3, (float("nan"),)):
        with pytest.raises(DescriptionError, match=r"Raw\.usual"):
            Raw(4, 1.0, wrong)  # type: ignore[arg-type]


def test_traces_fade_to_usual_numbers() -> None:
    memories = Memories(Past(traces=(0.5,)), 1, usual=(10.0, 0.0))
    shown = [
        memories.see_numbers(0, np.array(now))[2:].tolist()
        for now in ([10.0, 8.0], [6.0, 0.0], [10.0, 0.0], [10.0, 0.0])
    ]
    assert shown == [[10.0, 0.0], [10.0, 8.0], [14.0, 4.0], [12.0, 2.0]]


def test_a_background_is_in_files(tmp_path: Path) -> None:
    agent = SpikingActorCritic(Over(gym.make("tests/Balls-v0"), (255, 90)), seed=3)
    agent.learn(total_steps=40)
    with pytest.warns(UserWarning, match="isn't saved"):
        agent.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(
        tmp_path / "agent.npz", env=Over(gym.make("tests/Balls-v0"), (255, 90))
    )
    assert usual_of(loaded.config.cells) == (255.0, 90.0)
