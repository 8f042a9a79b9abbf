"""Images have cells of what is unusual in them, at several scales and jointly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.development_tasks import Falling, WideCatch
from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_agent
from neurorl.errors import ArgumentError, DescriptionError, EnvironmentWarning
from neurorl.models.defaults.images import MOST_ACTIVE, active_cells, image_cells, is_image
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import HashedStates
from neurorl.models.features.image_cells import ImageCells


def binary(height: int, width: int) -> ImageCells:
    """Return the cells of binary images that are usually 0."""
    return ImageCells((height, width), (height, width), [-0.5], [1.0], 2, np.zeros(height * width))


def test_an_image_as_usual_has_no_active_cell() -> None:
    assert not binary(5, 3)(np.zeros((5, 3))).any()


def test_one_pixel_has_a_cell_at_each_scale() -> None:
    cells = binary(8, 8)
    assert cells.grids == ((8, 8), (4, 4), (2, 2))
    image = np.zeros((8, 8))
    image[5, 2] = 1.0
    blocks = (8 * 5 + 2, 64 + 4 * 2 + 1, 64 + 16 + 2 * 1)
    assert np.flatnonzero(cells(image)).tolist() == [2 * block + 1 for block in blocks]


def test_neighbours_have_a_joint_cell() -> None:
    cells, image = binary(8, 8), np.zeros((8, 8))
    image[5, 2] = image[5, 3] = 1.0
    joint = np.flatnonzero(cells(image))
    joint = joint[joint >= cells.n_single] - cells.n_single
    assert len(joint) == 2  # of the patches above and below; in coarser ones they are one block
    assert (joint // 7).tolist() == [7 * 4 + 2, 7 * 5 + 2]


def test_things_far_apart_are_joint_at_the_coarsest_scale() -> None:
    cells, found = binary(8, 8), set()
    for row, column in ((0, 0), (0, 7), (7, 0)):
        image = np.zeros((8, 8))
        image[row, column] = image[7, 7] = 1.0
        joint = np.flatnonzero(cells(image))
        found.add(tuple(joint[joint >= cells.n_single].tolist()))
    assert len(found) == 3
    assert all(len(joint) == 1 for joint in found)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_every_cell_says_what_is_there(height: int, width: int, channels: int, seed: int) -> None:
    """Single cells are those of the blocks, and all are 0 or 1."""
    draws = np.random.default_rng(seed)
    image = draws.integers(0, 3, (height, width, channels))
    usual = draws.integers(0, 3, image.size)
    shape, zeros = (height, width, channels), [-0.5] * channels
    cells = ImageCells(shape, (height, width), zeros, [1.0] * channels, 3, usual)
    x = cells(image)
    assert x.shape == (cells.size,)
    assert set(np.unique(x)) <= {0.0, 1.0}
    finest = x[: 3 * image.size].reshape(-1, 3)
    there = (image.ravel()[:, None] == np.arange(3)) & (image.ravel() != usual)[:, None]
    assert np.array_equal(finest > 0, there)
    coarsest = x[: cells.n_single][-3 * channels * np.prod(cells.grids[-1]) :]
    assert coarsest.any() == there.any()
    first = np.moveaxis(image, -1, 0)
    moved = ImageCells(first.shape, (height, width), zeros, [1.0] * channels, 3, usual, first=True)
    assert np.array_equal(moved(first), x)
    assert np.array_equal(cells(image.ravel()), x)


def test_the_table_grows_linearly() -> None:
    sizes = [binary(n, n).size / n**2 for n in (8, 16, 32, 64, 128)]
    assert sizes == sorted(sizes)
    assert sizes[-1] < 12.0


def test_images_are_averaged_where_most_of_them_varies() -> None:
    space = Box(0, 255, (3, 32, 40), np.uint8)
    rows = np.random.default_rng(1).integers(0, 256, (60, 3 * 32 * 40)).astype(np.float64)
    cells = image_cells(space, rows)
    assert cells is not None
    assert cells.first
    assert max(cells.blocks) <= 10
    assert active_cells(cells, rows) <= MOST_ACTIVE
    large = image_cells(Box(0, 255, (210, 160, 3), np.uint8), np.tile(rows, 27)[:, :100_800])
    assert large is not None
    assert large.size <= 2**16


@pytest.mark.parametrize("side", [10, 40, 80])
def test_a_single_pixel_is_seen_in_a_large_image(side: int) -> None:
    rows = np.zeros((50, side, side))
    place = np.random.default_rng(2).integers(0, side, (50, 2))
    rows[np.arange(50), place[:, 0], place[:, 1]] = 1.0
    cells = image_cells(Box(0, 1, (side, side), np.uint8), rows.reshape(50, -1))
    assert cells is not None
    assert all(cells(image).any() for image in rows)


def test_what_is_no_image_has_none() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 16))
    assert image_cells(Box(-1.0, 1.0, (16,)), rows) is None
    assert image_cells(Box(-1.0, 1.0, (2, 2, 2, 2)), rows) is None
    assert image_cells(Box(-1.0, 1.0, (4, 4)), np.ones((50, 16))) is None


def shown(*shape: int, whole: bool = False) -> Any:
    """Return 50 observations of an episode, of numbers from 0 to 1 or of whole ones to 3."""
    draws = np.random.default_rng(1)
    return draws.integers(0, 4, (50, *shape)) * 1.0 if whole else draws.uniform(size=(50, *shape))


def told(space: Box, rows: Any, lengths: tuple[int, ...] = (50,)) -> bool:
    return is_image(space, rows.reshape(len(rows), -1), lengths)


def test_pixels_have_one_range() -> None:
    assert told(Box(0.0, 1.0, (4, 5)), shown(4, 5))
    assert told(Box(0, 255, (4, 5, 3), np.uint8), shown(4, 5, 3))
    assert told(Box(0, 3, (4, 5), np.int64), shown(4, 5, whole=True))
    assert not told(Box(0.0, 1.0, (20,)), shown(20))
    wide = np.ones((4, 5))
    wide[:, 2] = 2.0
    assert not told(Box(-wide, np.ones((4, 5)), dtype=np.float64), shown(4, 5))
    assert not told(Box(np.zeros((4, 5)), wide, dtype=np.float64), shown(4, 5))


def test_channels_may_have_ranges_of_their_own() -> None:
    high = np.array([1.0, 5.0])
    assert told(Box(0.0, np.broadcast_to(high, (4, 5, 2)), dtype=np.float64), shown(4, 5, 2))
    first = np.broadcast_to(high[:, None, None], (2, 4, 5))
    assert told(Box(0.0, first, dtype=np.float64), shown(2, 4, 5))
    rows = np.broadcast_to(high[None, :, None], (4, 2, 5))
    assert not told(Box(0.0, rows, dtype=np.float64), shown(4, 2, 5))


def test_numbers_without_a_range_are_pixels_only_if_few_or_very_many() -> None:
    assert not told(Box(-np.inf, np.inf, (4, 5)), shown(4, 5))
    assert not told(Box(0.0, np.inf, (4, 5)), shown(4, 5))
    assert not told(Box(-np.inf, 0.0, (4, 5)), shown(4, 5))
    assert told(Box(-np.inf, np.inf, (4, 5)), shown(4, 5, whole=True))
    assert told(Box(-np.inf, np.inf, (12, 12)), shown(12, 12))


def test_rows_that_move_up_are_stacked_observations() -> None:
    frames = np.random.default_rng(2).uniform(size=(53, 5))
    stacked = np.stack([frames[k : k + 4] for k in range(50)])
    space = Box(0.0, 1.0, (4, 5))
    assert not told(space, stacked)
    other = stacked.copy()
    other[25:] = 1.0 - stacked[25:]  # of another episode
    assert not told(space, other, (25, 25))
    assert told(space, other)
    assert told(space, stacked[:, ::-1])
    assert told(space, stacked, (50, 3))  # where not all were kept
    assert told(space, stacked[:2], (1, 1))  # no step
    assert told(Box(0, 99, (4, 5), np.uint8), np.floor(100.0 * stacked))  # an image that scrolls
    images = np.stack([shown(5, 2)[k : k + 4] for k in range(40)])
    assert told(Box(0.0, 1.0, (4, 5, 2)), images, (40,))


def test_the_default_chooses_them() -> None:
    modules = {"actors": 10}  # else hidden layers see the pixels
    cells = make_config(WideCatch(), overrides=modules).cells
    assert isinstance(cells, ImageCells)
    assert (cells.blocks, cells.levels) == ((10, 10), 2)
    noisy = make_config(Falling(), overrides=modules)
    assert isinstance(noisy.cells, ImageCells)
    assert noisy.cells.levels == 4
    assert noisy.alpha_output == 0.198  # a third of that of tiles
    assert (noisy.hidden, noisy.bias, noisy.features) == (0, False, noisy.cells)
    assert ImageCells.from_dict(noisy.cells.to_dict()) == noisy.cells


def test_few_images_stay_states() -> None:
    class Narrow(WideCatch):
        columns = 3

    assert isinstance(make_config(Narrow()).cells, HashedStates)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"shape": (4,)}, "ImageCells.shape"),
        ({"blocks": (5, 4)}, "ImageCells.blocks"),
        ({"levels": 1}, "ImageCells.levels"),
        ({"width": [0.0]}, "ImageCells.width"),
        ({"usual": np.zeros(5)}, "usual"),
    ],
)
def test_wrong_ones_are_refused(named: dict[str, Any], words: str) -> None:
    right: dict[str, Any] = {"shape": (4, 4), "blocks": (4, 4), "low": [0.0], "width": [1.0]}
    right |= {"levels": 2, "usual": np.zeros(16)}
    with pytest.raises(DescriptionError, match=words):
        ImageCells(**{**right, **named})


def test_another_shape_is_refused() -> None:
    with pytest.raises(ArgumentError, match="another shape"):
        binary(4, 4)(np.zeros((3, 3)))


@pytest.mark.parametrize(
    "places",
    [
        (("reference", None, "numpy"), ("reference", None, None), ("native", None, None)),
        (("reference", "loihi", "numpy"), ("loihi", "loihi", None)),
    ],
    ids=["float", "chip"],
)
def test_backends_play_the_same(places: Any) -> None:
    played = []
    for backend, arithmetic, loop in places:
        agent = SpikingActorCritic(WideCatch(), "lif", backend, arithmetic, 1, loop=loop, actors=1)
        agent.learn(total_episodes=3)
        played.append((agent.episodes, {name: w.tolist() for name, w in agent.weights.items()}))
        agent.close()
    assert all(of_one == played[0] for of_one in played)


def test_they_are_in_the_checkpoint(tmp_path: Path) -> None:
    env: gym.Env[Any, Any] = Falling()
    agent = SpikingActorCritic(env, seed=1, actors=1)
    agent.learn(total_steps=100)
    with pytest.warns(EnvironmentWarning, match="isn't saved"):
        agent.save(tmp_path / "agent.npz")
    described, _ = read_agent(tmp_path / "agent.npz")
    assert described.config == agent.config
    agent.close()


@pytest.mark.slow
def test_catch_of_many_images_is_learned() -> None:
    agent = SpikingActorCritic(WideCatch(), backend="native", seed=100)
    agent.learn(total_steps=60_000)
    assert np.mean([e.ret for e in agent.episodes[-500:]]) > 0.4  # 0.51; by chance -0.8
    agent.close()
