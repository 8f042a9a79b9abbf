"""Give images cells for what is unusual in pixels, in larger blocks, and in neighbours."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features.base import Features, Sides, image_of
from neurorl.models.features.of_others import pooled
from neurorl.network.limits import MAX_FEATURES, check_limit
from neurorl.network.serialization import Range, frozen_array
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.tasks.kinds import Shown

_HASHES, _ROOT = 7, 3
"""Give each patch a prime number of joint cells; powers of its primitive root number the parts."""
_TOGETHER = 2


@dataclass(frozen=True, eq=False)
class ImageCells(Features):
    """Give an image cells for what is unusual in it, at several scales. Cells, 0 or 1.

    A channel of a pixel has *levels*, and a cell for each but its usual one. Blocks of 2 x 2
    pixels, of 2 x 2 such blocks and so on have a cell for each level that is in them, until no axis
    has more than 2 blocks. At each scale every 2 x 2 neighbours have 7 joint cells: the hash of
    their contents selects one of these, if they contain two things or more. The number of cells
    grows linearly with the number of pixels.

    shape: shape of the image, ``(height, width)``, ``(height, width, channels)`` or, if *first*,
    ``(channels, height, width)``. blocks: height and width that it is first averaged to. low,
    width: where the first level of each channel begins, and the width of all, ``(channels,)``;
    values beyond belong to the first or last level. usual: the usual level of each block,
    ``(height, width, channels)``, flattened.
    """

    shape: Sides
    blocks: Sides
    low: Any
    width: Any
    levels: Annotated[int, Range(2, 256)]
    usual: Any
    first: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) not in (2, 3):
            what = "must have 2 or 3 axes"
            raise DescriptionError("ImageCells.shape", what, got=self.shape)
        height, width, channels = self._axes(self.shape)
        if len(self.blocks) != 2 or self.blocks[0] > height or self.blocks[1] > width:
            what, most = "must be two, at most the image's", (height, width)
            raise DescriptionError("ImageCells.blocks", what, got=self.blocks, limit=most)
        n = math.prod(self.blocks) * channels
        for name, length in (("low", channels), ("width", channels), ("usual", n)):
            array = frozen_array(f"ImageCells.{name}", getattr(self, name), (length,))
            object.__setattr__(self, name, array)
        if not (self.width > 0).all():
            raise DescriptionError("ImageCells.width", "must be positive", got=self.width.min())
        check_limit("ImageCells", "cells", self.size, MAX_FEATURES)

    def _axes(self, sizes: tuple[int, ...]) -> tuple[int, int, int]:
        """Return height, width and channels."""
        if len(sizes) == 2:
            return sizes[0], sizes[1], 1
        return (sizes[1], sizes[2], sizes[0]) if self.first else (sizes[0], sizes[1], sizes[2])

    @functools.cached_property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Return height and width of the blocks of each scale, from the finest on."""
        grids = [(self.blocks[0], self.blocks[1])]
        while max(grids[-1]) > 2:
            height, width = grids[-1]
            grids.append((-(-height // 2), -(-width // 2)))
        return tuple(grids)

    @property
    def averages(self) -> bool:
        """Return whether there are fewer blocks than pixels."""
        return self.blocks != self._axes(self.shape)[:2]

    @property
    def n_contents(self) -> int:
        """Return how many things a block can contain: the levels of all channels."""
        return self._axes(self.shape)[2] * self.levels

    @property
    def n_single(self) -> int:
        """Return how many cells stand for contents of blocks, at all scales; they come first."""
        return self.n_contents * sum(math.prod(grid) for grid in self.grids)

    @property
    def n_patches(self) -> int:
        """Return how many 2 x 2 neighbours there are at all scales."""
        return sum(max(1, height - 1) * max(1, width - 1) for height, width in self.grids)

    @property
    def size(self) -> int:
        return self.n_single + _HASHES * self.n_patches

    def __call__(self, observation: Shown) -> FloatArray:
        x = np.zeros(self.size)
        singles = self._scales[self._unusual(observation)].ravel()
        x[singles] = 1.0
        singles = np.flatnonzero(x)
        patches, weights = (of_all[singles].ravel() for of_all in self._patches)
        counts = np.bincount(patches, minlength=self.n_patches + 1)[:-1]
        hashes = np.bincount(patches, weights, self.n_patches + 1)
        jointly = np.flatnonzero(counts >= _TOGETHER)
        x[self.n_single + _HASHES * jointly + hashes[jointly].astype(np.int64) % _HASHES] = 1.0
        return x

    def _unusual(self, observation: Shown) -> IntArray:
        """Return the single cells of the finest scale that are active."""
        image = image_of("ImageCells", observation, self.shape)
        if len(self.shape) == 3:
            image = np.moveaxis(image, 0, -1) if self.first else image
        else:
            image = image[..., None]
        found = (pooled(image, (*self.blocks, image.shape[-1])) - self.low) / self.width
        levels = np.clip(np.floor(found), 0, self.levels - 1).ravel()
        places = np.flatnonzero(levels != self.usual)
        return np.asarray(self.levels * places + levels[places].astype(np.int64))

    @functools.cached_property
    def _scales(self) -> IntArray:
        """Return the cells of all scales that each single cell of the finest scale activates."""
        y, x = np.indices(self.grids[0])
        contents = np.arange(self.n_contents)
        columns, base = [], 0
        for height, width in self.grids:
            blocks = (y * width + x).ravel()[:, None] * self.n_contents
            columns.append((base + blocks + contents).ravel())
            base += height * width * self.n_contents
            y, x = y // 2, x // 2
        return np.stack(columns, axis=1)

    @functools.cached_property
    def _patches(self) -> tuple[IntArray, FloatArray]:
        """Return the patches that each single cell is in, and what it adds to their hashes.

        Both are ``(n_single, 4)``; the number of patches stands for a patch beyond the edge.
        """
        patches, base = [], 0
        for height, width in self.grids:
            rows, columns = max(1, height - 1), max(1, width - 1)
            y, x = (axis.ravel() for axis in np.indices((height, width)))
            for_each = []
            for corner in range(4):
                top, left = y - corner // 2, x - corner % 2
                is_there = (top >= 0) & (top < rows) & (left >= 0) & (left < columns)
                for_each.append(np.where(is_there, base + top * columns + left, self.n_patches))
            patches.append(np.stack(for_each, axis=1))
            base += rows * columns
        of_blocks = np.concatenate(patches)
        parts = np.arange(self.n_contents)[:, None] * 4 + np.arange(4)  # thing and corner
        powers = np.array([pow(_ROOT, k, _HASHES) for k in range(_HASHES - 1)], dtype=np.float64)
        weights = np.tile(powers[parts % (_HASHES - 1)], (len(of_blocks), 1))
        return np.repeat(of_blocks, self.n_contents, axis=0), weights
