"""Cut dimensions into bins: tile coding, and codes of each dimension's bin."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.models.features.codes import check_enough, code_table, count_codes
from neurorl.models.features.ranges import RangeFeatures, scaled_to_one
from neurorl.network.limits import MAX_TABLE, check_limit
from neurorl.numerics.arrays import FloatArray

__all__ = ["BinnedCombinations", "Tiles", "TilesInARow"]


@dataclass(frozen=True, eq=False)
class Tiles(RangeFeatures):
    """Cover the space with *tilings* grids of ``bins + 1`` tiles a dimension, offset. Cells.

    Offsets are odd multiples of 1/tilings of a tile (Miller & Glanz), so no two tilings align.
    """

    tilings: int = 8
    bins: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_cells("tilings", "bins")

    @property
    def size(self) -> int:
        return int(self.tilings * (self.bins + 1) ** len(self.low))

    def values(self, flat: FloatArray) -> FloatArray:
        unit = self.unit(flat)[..., None, :]
        tile = np.floor(unit * self.bins + self.offsets).astype(np.int64)
        index = np.minimum(tile, self.bins) @ self.strides + self.bases
        x = np.zeros((*flat.shape[:-1], self.size))
        np.put_along_axis(x, index, 1.0, axis=-1)
        return x

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)

    @functools.cached_property
    def offsets(self) -> FloatArray:
        """Return the offset of each tiling in each dimension, in tiles: ``(tilings, d)``."""
        k = np.arange(self.tilings)[:, None]
        odd = 2 * np.arange(len(self.low)) + 1
        return np.asarray((k * odd % self.tilings) / self.tilings)

    @functools.cached_property
    def strides(self) -> Any:
        """Return how far apart the indices of neighbours in each dimension are, ``(d,)``."""
        return (self.bins + 1) ** np.arange(len(self.low))[::-1]

    @functools.cached_property
    def bases(self) -> Any:
        """Return the index of each tiling's first tile, ``(tilings,)``."""
        return np.arange(self.tilings) * (self.bins + 1) ** len(self.low)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return dimensions, tilings and bins, all equal in tiles of one `TilesInARow`."""
        return len(self.low), self.tilings, self.bins


class TilesInARow:
    """Compute several `Tiles` of one shape at once, with the same bits as one by one."""

    def __init__(self, tiles: Sequence[Tiles]) -> None:
        self._of, self._n = tiles[0], len(tiles)
        self.n_inputs = sum(part.n_inputs for part in tiles)
        self._ranges = tuple(
            np.concatenate([getattr(part, name) for part in tiles])
            for name in ("low", "gain", "squashed")
        )
        self._first = self._of.size * np.arange(self._n)[:, None]

    def of_all(self, flat: FloatArray) -> FloatArray:
        """Return the tiles of rows ``(n, n_inputs)``, in the order of the `Tiles`."""
        of, n = self._of, len(flat)
        unit = scaled_to_one(flat, *self._ranges).reshape(n, self._n, 1, -1)
        tile = np.floor(unit * of.bins + of.offsets).astype(np.int64)
        index = np.minimum(tile, of.bins) @ of.strides + of.bases + self._first
        x = np.zeros((n, self._n * of.size))
        x[np.arange(n)[:, None], index.reshape(n, -1)] = 1.0
        return x


@dataclass(frozen=True, eq=False)
class BinnedCombinations(RangeFeatures):
    """Give each dimension's bin the code of its rank, one after the other. Cells, 0 or 1.

    bins: equal bins along a dimension, ``floor(bins unit)``; the last includes its upper end.
    active, channels: a bin's code says which *active* of a dimension's *channels* cells are 1, as
    in `Combinations`. Raises DescriptionError if ``C(channels, active) < bins``.
    Source: the code of arXiv:1910.06489, which codes each dimension by itself, in as many bins as
    channels; half of these are active, and it writes -1 for 0.
    """

    bins: int = 10
    active: int = 5
    channels: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        codes = count_codes("BinnedCombinations", self.active, self.channels)
        self._check_cells("bins")
        check_enough("BinnedCombinations.bins", self.bins, codes)
        check_limit("BinnedCombinations", "codes", self.bins * self.channels, MAX_TABLE)

    @property
    def size(self) -> int:
        return len(self.low) * self.channels

    def values(self, flat: FloatArray) -> FloatArray:
        index = np.floor(self.unit(flat) * self.bins).astype(np.int64)
        codes = self.table[np.minimum(index, self.bins - 1)]
        return np.asarray(codes.reshape(*flat.shape[:-1], self.size))

    def of_all(self, flat: FloatArray) -> FloatArray:
        return self.values(flat)

    @functools.cached_property
    def table(self) -> FloatArray:
        """Return the codes of all bins, ``(bins, channels)``."""
        return code_table(self.bins, self.active, self.channels)
