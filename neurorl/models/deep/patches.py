"""Connect an image to neurons that see small patches of it, with the same weights everywhere."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.network.connectors import Ends, Sparse
from neurorl.network.limits import MAX_SIZE
from neurorl.network.serialization import Range, positive
from neurorl.network.synapse_list import SynapseList


@dataclass(frozen=True, eq=False)
class Patches(Sparse):
    """Let *filters* neurons see each square patch of *side* x *side* places of an image.

    shape: rows, columns and channels of the image, ``(y columns + x) channels + channel`` a number
    of its place. images: how many of this shape are seen, one after the other, such as stacked
    frames or traces; a neuron sees the same patch of all of them. Neuron ``position filters +
    filter`` sees a patch; positions follow rows.

    The weights of a filter are the same in all positions: a learner holds them as ``(K, filters)``,
    K the numbers in a patch. In a network each synapse has its copy.
    """

    shape: Annotated[tuple[int, ...], Range(1, 2**53)]
    side: int = 3
    filters: Annotated[int, Range(1, MAX_SIZE)] = 16
    images: Annotated[int, Range(1, MAX_SIZE)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) != 3:
            what = "needs rows, columns and channels"
            raise DescriptionError("Patches.shape", what, got=self.shape)
        positive("Patches.side", self.side, most=min(self.shape[:2]))

    @property
    def n_inputs(self) -> int:
        """Return how many numbers the images have."""
        return self.images * int(np.prod(self.shape))

    @property
    def size(self) -> int:
        """Return how many neurons there are."""
        return len(self.index) * self.filters

    @functools.cached_property
    def index(self) -> npt.NDArray[np.int64]:
        """Return the numbers that each position sees, ``(positions, K)``."""
        rows, columns, channels = self.shape
        within = np.arange(self.side)
        top, left = np.arange(rows - self.side + 1), np.arange(columns - self.side + 1)
        y = (top[:, None] + within)[:, None, None, :, None, None]
        x = (left[:, None] + within)[None, :, None, None, :, None]
        above = rows * np.arange(self.images)[:, None, None, None]  # rows of the images before
        places = ((above + y) * columns + x) * channels + np.arange(channels)
        return np.ascontiguousarray(places.reshape(len(top) * len(left), -1))

    @functools.cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """Return which of the K numbers of its patch each bundle of *filters* synapses carries.

        Synapses are sorted by the number of the image, then by neuron, so that all filters of a
        position stand together: a bundle.
        """
        return self._bundles[1]

    @property
    def positions_of(self) -> npt.NDArray[np.int64]:
        """Return the position of each bundle, see `rows`."""
        return self._bundles[0]

    @functools.cached_property
    def _bundles(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return position and row of each bundle, in the order of synapses."""
        positions, k = np.indices(self.index.shape)
        order = np.lexsort((positions.ravel(), self.index.ravel()))
        return positions.ravel()[order], k.ravel()[order]

    @functools.cached_property
    def tie(self) -> npt.NDArray[np.int64]:
        """Return the place of each synapse's weight among those of the filters, ``K filters``."""
        return (self.rows[:, None] * self.filters + np.arange(self.filters)).ravel()

    def counts(self, ends: Ends) -> tuple[int, int]:
        if (ends.n_pre, ends.n_post) != (self.n_inputs, self.size):
            got, limit = (ends.n_pre, ends.n_post), (self.n_inputs, self.size)
            raise DescriptionError(ends.where, "patches of another size", got=got, limit=limit)
        return (self.index.size * self.filters,) * 2

    def make(self, ends: Ends) -> SynapseList:
        post = (self.positions_of[:, None] * self.filters + np.arange(self.filters)).ravel()
        counts = np.bincount(self.index.ravel(), minlength=self.n_inputs) * self.filters
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return SynapseList(start, post.astype(np.int32), self.size)
