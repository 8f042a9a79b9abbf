"""Cut dimensions into tiles, and join features of several observations."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.models.features.base import Features, FromNumbers, RangeFeatures, scaled_to_one
from neurorl.network.limits import MAX_FEATURES, MAX_PARTS, check_limit
from neurorl.network.serialization import Range, positive, several
from neurorl.numerics.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Tiles(RangeFeatures):
    """Cover the space with *tilings* grids of ``bins + 1`` tiles a dimension, offset. Cells.

    Offsets are odd multiples of 1/tilings of a tile (Miller & Glanz), so no two tilings align.
    """

    tilings: Annotated[int, Range(1, MAX_FEATURES)] = 8
    bins: Annotated[int, Range(1, MAX_FEATURES)] = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_size()

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

    of_all = values

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
class Concat(FromNumbers):
    """Join features of the parts of a Tuple or Dict observation, one after the other.

    keys: keys of a Dict or places in a Tuple, in the order of *parts*; empty: a whole Tuple.
    """

    parts: tuple[Features, ...]
    keys: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        parts = several("Concat.parts", self.parts)
        if not all(isinstance(part, Features) for part in parts):
            raise DescriptionError("Concat.parts", "not features", got=quoted(self.parts))
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "keys", several("Concat.keys", self.keys))
        positive("Concat.parts", len(self.parts), most=MAX_PARTS)
        check_limit("Concat", "features", self.size, MAX_FEATURES)

    @property
    def are_cells(self) -> bool:
        return all(part.are_cells for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def n_inputs(self) -> int:
        return sum(part.n_inputs for part in self.parts)

    def flat(self, observation: Any) -> FloatArray:
        observations = [observation[key] for key in self.keys] if self.keys else observation
        pairs = zip(self.parts, observations, strict=True)
        return np.concatenate([part.flat(value) for part, value in pairs])

    def values(self, flat: FloatArray) -> FloatArray:
        ends = np.cumsum([part.n_inputs for part in self.parts])[:-1]
        pairs = zip(self.parts, np.split(flat, ends), strict=True)
        return np.concatenate([part.values(inputs) for part, inputs in pairs])

    def of_all(self, flat: FloatArray) -> FloatArray:
        ends = np.cumsum([run.n_inputs for run in self._runs])[:-1]
        pairs = zip(self._runs, np.split(flat, ends, axis=1), strict=True)
        return np.concatenate([run.of_all(inputs) for run, inputs in pairs], axis=1)

    @functools.cached_property
    def _runs(self) -> list[Features | TilesInARow]:
        """Return the parts, with successive tiles of the same shape joined into one."""
        runs: list[Features | TilesInARow] = []
        for shape, of_shape in itertools.groupby(self.parts, _shape_of_tiles):
            parts = list(of_shape)
            tiles = [part for part in parts if isinstance(part, Tiles)]
            runs += parts if shape is None else [TilesInARow(tiles)]
        return runs


def _shape_of_tiles(part: Features) -> tuple[int, int, int] | None:
    return part.shape if type(part) is Tiles else None
