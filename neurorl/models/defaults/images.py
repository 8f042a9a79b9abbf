"""Choose cells of an image by what the first play showed, and whether images hide motion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import gymnasium as gym
import numpy as np

from neurorl.models.deep.patches import Patches
from neurorl.models.defaults.boxes import short
from neurorl.models.defaults.kinds import both, kinds_of, left_by
from neurorl.models.defaults.memory_search import sure
from neurorl.models.features import Features
from neurorl.models.features.image_cells import ImageCells
from neurorl.models.features.of_others import pooled
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.tasks.first_play import FirstPlay, acted_on

MOST_ACTIVE = 64
_MOST_CELLS = 2**16
"""Average blocks of pixels until there are at most so many active cells (on average), and cells."""
_MOST_KINDS, _LEVELS = 16, 4
"""Give each value of a channel a level, if there are at most 16; else cut its range in 4."""
_MOST_NUMBERS = 128
"""Take more numbers than this on two or three axes for an image, whatever they are."""
_LOOKS, _USUAL = 100, 0.5
_LEAST_WIDTH = 1e-6
TRACES = (0.8,)
"""Give this trace to agents of such images. Chosen on drops that vanish in fog and a block that
slides, seeds 100 to 103: traces of 0.9, 0.7 and 0 earn less in one of them."""
_TOLD = 0.005
"""Take motion for hidden if earlier patches predict this share of what is left of a channel. Two
such games have 0.02, Breakout without its trail 0.03; eleven that hide none have 0."""
_MOST_PATCHES = 200_000


def is_image(space: gym.spaces.Box, rows: FloatArray, lengths: Sequence[int]) -> bool:
    """Return whether observations of two or three axes are images, rather than several numbers.

    They are if all pixels of a channel have the same declared range, and are whole numbers, take at
    most 16 values, or have a finite range. Fractional rows that move up by one in each step, as in
    observations stacked by a wrapper, are no pixels. More than 128 numbers are always an image.

    rows: the observations of the first play, ``(n, d)``. lengths: the number of rows of each
    episode.
    """
    shape = space.shape
    if len(shape) not in (2, 3):
        return False
    if math.prod(shape) > _MOST_NUMBERS:
        return True
    if not (_is_even(space, -1) or (len(shape) == 3 and _is_even(space, 0))):
        return False
    if not np.issubdtype(space.dtype, np.floating) or len(np.unique(rows)) <= _MOST_KINDS:
        return True
    is_stack = len(shape) == 2 and _moves_on(rows.reshape(-1, *shape), lengths)
    return not is_stack and bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())


def background(rows: FloatArray, channels: int, low: float = 0.0) -> tuple[float, ...]:
    """Return the value of each channel that at least half of its pixels have; none if all are 0.

    A channel without such a value has *low*. rows: images, ``(n, d)``, with channels last.
    """
    found = []
    for pixels in rows.reshape(-1, channels).T:
        values, counts = np.unique(pixels, return_counts=True)
        most = int(counts.argmax())
        found.append(float(values[most]) if counts[most] >= _USUAL * len(pixels) else low)
    return tuple(found) if any(found) else ()


def _is_even(space: gym.spaces.Box, channels: int) -> bool:
    """Return whether all pixels of a channel have one range. channels: the axis of channels."""
    for end in (space.low, space.high):
        pixels = end[..., None] if end.ndim == 2 else np.moveaxis(end, channels, -1)
        pixels = pixels.reshape(-1, pixels.shape[-1])
        if not (pixels == pixels[0]).all():
            return False
    return True


def _moves_on(images: FloatArray, lengths: Sequence[int]) -> bool:
    """Return whether all rows of an image but the first are those before the last, a step later."""
    if len(images) != sum(lengths) or images.shape[1] < 2:
        return False
    before = acted_on(lengths)
    return len(before) > 0 and bool((images[before, 1:] == images[before + 1, :-1]).all())


def image_cells(space: gym.spaces.Box, rows: FloatArray) -> ImageCells | None:
    """Return cells of an image, or None if the space has other axes, or nothing varies.

    rows: the observations of the first play, ``(n, d)``. A channel's levels are its values, if
    there are few, else quarters of its range; the usual level of a pixel is its most frequent one.
    """
    shape = space.shape
    if len(shape) not in (2, 3) or (rows == rows[0]).all():
        return None
    rows = rows[:: -(-len(rows) // _LOOKS)]
    first = len(shape) == 3 and shape[0] < shape[-1]
    images = rows.reshape(-1, *shape)
    if len(shape) == 2:
        images = images[..., None]
    elif first:
        images = np.moveaxis(images, 1, -1)
    blocks = (images.shape[1], images.shape[2])
    while True:
        means = pooled(images, (len(images), *blocks, images.shape[-1]))
        cells = _of_means(means, shape, blocks, first)
        if cells is not None and (max(blocks) <= 2 or active_cells(cells, rows) <= MOST_ACTIVE):
            return cells
        if max(blocks) == 1:
            return None
        blocks = (-(-blocks[0] // 2), -(-blocks[1] // 2))


def _of_means(
    means: FloatArray, shape: tuple[int, ...], blocks: tuple[int, int], first: bool
) -> ImageCells | None:
    """Return the cells of averaged images, or None if there are too many."""
    low, width, levels = _levels(means)
    if means[0].size * levels > _MOST_CELLS:  # checked before arrays of this size are made
        return None
    usual = _usual(means, low, width, levels)
    cells = ImageCells(shape, blocks, low, width, levels, usual, first)
    return cells if cells.size <= _MOST_CELLS else None


def _levels(images: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Return where the levels of each channel begin, their widths, and how many there are."""
    channels = np.moveaxis(images, -1, 0).reshape(images.shape[-1], -1)
    kinds = [np.unique(channel) for channel in channels]
    ends = [(float(kind[0]), float(kind[-1])) for kind in kinds]
    gaps = [float(np.diff(kind).min()) if len(kind) > 1 else 1.0 for kind in kinds]
    steps = [(high - low) / gap for (low, high), gap in zip(ends, gaps, strict=True)]
    if max(steps) <= _MOST_KINDS - 1:
        levels = max(2, round(max(steps)) + 1)
        low = [low - gap / 2.0 for (low, _), gap in zip(ends, gaps, strict=True)]
        return short(low), short(gaps), levels
    width = [max((high - low) / _LEVELS, _LEAST_WIDTH) for low, high in ends]
    return short([low for low, _ in ends]), short(width), _LEVELS


def _usual(means: FloatArray, low: FloatArray, width: FloatArray, levels: int) -> FloatArray:
    """Return the most frequent level of each channel of each block, flattened."""
    found = np.clip(np.floor((means - low) / width), 0, levels - 1).reshape(len(means), -1)
    counts = np.stack([(found == level).sum(axis=0) for level in range(levels)])
    return np.asarray(counts.argmax(axis=0), dtype=np.float64)


def active_cells(cells: ImageCells, rows: FloatArray) -> float:
    """Return how many cells are active on average."""
    return float(np.mean([cells(row).sum() for row in rows]))


def hides_motion(play: FirstPlay, cells: Features, patches: Patches) -> bool:
    """Return whether patches of the image before tell what comes next, beside those of the last.

    The next number of each place is predicted by the mean after the same 3 x 3 patch and action,
    then after the same two patches and action, in rows that weren't averaged: a ball goes on as it
    came, which one image doesn't show.

    cells: what layers see of an image, or several at once. patches: says how many, and their shape.
    False where not every image was kept. Actions that are numbers, each another one, aren't read.
    """
    shape, rows = patches.shape, play.all_numbers()
    n_places = math.prod(shape[:2])
    if rows is None or len(rows) != sum(play.lengths):
        return False
    now, actions = acted_on(play.lengths), np.zeros(len(rows), dtype=np.intp)
    if (taken := np.array(play.actions)).dtype.kind in "iu":
        actions[now] = kinds_of(taken.reshape(len(taken), -1))
    is_second = np.isin(now - 1, now)  # of two steps of one episode
    now = now[is_second][: _MOST_PATCHES // n_places]
    if not len(now):
        return False
    seen = np.array([cells(row) for row in rows[: now[-1] + 2]])
    each = seen.reshape(len(seen), patches.images, n_places, shape[2])
    images = np.moveaxis(each, 1, 2).reshape(len(seen), n_places, -1)
    around = _around(images, shape)
    last, acts = around[now].ravel(), actions[now].repeat(n_places)
    acted = both(last, acts)
    before = both(acted, around[now - 1].ravel())
    for numbers in np.moveaxis(images[now + 1], 2, 0):
        y = numbers.ravel()
        left = min((left_by(acted, of, y) for of in (last, acted)), key=np.mean)
        gains = (left - left_by(before, acted, y)).reshape(len(now), -1).sum(axis=1)
        if sure(gains) > _TOLD * left.sum() / len(now):
            return True
    return False


def _around(images: FloatArray, shape: tuple[int, ...]) -> IntArray:
    """Return the kind of the patch around each place, ``(n, places)``; edges are kinds, too."""
    n, n_places, channels = images.shape
    pixels = kinds_of(images.reshape(-1, channels)).reshape(n, *shape[:2])
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    h, w = shape[:2]
    around = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return kinds_of(np.stack(around, axis=3).reshape(-1, 9)).reshape(n, n_places)
