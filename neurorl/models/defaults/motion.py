"""Find out from a first play whether images hide how things move."""

from __future__ import annotations

import math

import numpy as np

from neurorl.models.deep.patches import Patches
from neurorl.models.defaults.kinds import both, kinds_of, left_by
from neurorl.models.defaults.memory_search import sure
from neurorl.models.features import Features
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.tasks.first_play import FirstPlay, acted_on

TRACES = (0.8,)
"""Give this trace to agents of such images. Chosen on drops that vanish in fog and a block that
slides, seeds 100 to 103: traces of 0.9, 0.7 and 0 earn less in one of them."""
_TOLD = 0.005
"""Take motion for hidden if earlier patches predict this share of what is left of a channel. Two
such games have 0.02, Breakout without its trail 0.03; eleven that hide none have 0."""
_MOST_PATCHES = 200_000


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
