"""Take means of blocks of a large observation, such as an image, in time linear in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features import Features, FromNumbers, RangeFeatures, Raw
from neurorl.network.serialization import positive, several
from neurorl.numerics.arrays import FloatArray

__all__ = ["BlockMeans", "blocks_for", "pooled"]


@dataclass(frozen=True, eq=False)
class BlockMeans(FromNumbers, named="Pooled"):
    """Compute features *of* the means of blocks of an array, made by cutting each axis.

    shape: shape of the observation. blocks: how many along each axis, as even as possible.
    Raises DescriptionError unless ``of.n_inputs`` is the number of blocks.
    """

    of: Features
    shape: tuple[int, ...]
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("shape", "blocks"):
            where = f"BlockMeans.{name}"
            sizes = tuple(positive(where, n) for n in several(where, getattr(self, name)))
            object.__setattr__(self, name, sizes)
        pairs = zip(self.blocks, self.shape, strict=False)
        if len(self.shape) != len(self.blocks) or any(n < b for b, n in pairs):
            what = "must be at most the shape, axis by axis"
            raise DescriptionError("BlockMeans.blocks", what, got=self.blocks, limit=self.shape)
        if not isinstance(self.of, (RangeFeatures, Raw)):
            kind = type(self.of).__name__
            raise DescriptionError("BlockMeans.of", "needs a range for each block", got=kind)
        n, limit = self.of.n_inputs, math.prod(self.blocks)
        if n != limit:
            raise DescriptionError("BlockMeans.of", "is of other numbers", got=n, limit=limit)

    @property
    def are_cells(self) -> bool:
        return self.of.are_cells

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def n_inputs(self) -> int:
        return self.of.n_inputs

    def flat(self, observation: Any) -> FloatArray:
        numbers = np.asarray(observation, dtype=np.float64)
        if numbers.size != math.prod(self.shape):
            what, got = "the observation has another shape", numbers.shape
            raise ArgumentError("BlockMeans", what, got=got, limit=self.shape)
        return self.of.flat(pooled(numbers.reshape(self.shape), self.blocks).ravel())

    def values(self, flat: FloatArray) -> FloatArray:
        return self.of.values(flat)

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.of.of_all(flat)


def pooled(numbers: npt.NDArray[np.float64], blocks: tuple[int, ...]) -> FloatArray:
    """Return the mean of each block of an array, ``blocks`` of them along each axis."""
    for axis, n_blocks in enumerate(blocks):
        n = numbers.shape[axis]
        edges = np.arange(n_blocks + 1) * n // n_blocks
        if n_blocks < n:
            sizes = np.diff(edges).reshape(-1, *(1 for _ in numbers.shape[axis + 1 :]))
            numbers = np.add.reduceat(numbers, edges[:-1], axis=axis) / sizes
    return numbers


def blocks_for(shape: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return how many blocks along each axis give at most *most*: the longest axis halved first."""
    blocks = list(shape)
    while math.prod(blocks) > most:
        longest = blocks.index(max(blocks))
        blocks[longest] = -(-blocks[longest] // 2)
    return tuple(blocks)
