"""Hold linear maps of few weights, such as convolutions, as lists of synapses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.network.limits import MAX_WEIGHTS, check_limit
from neurorl.network.synapse_list import SynapseList, listed
from neurorl.numerics.arrays import FloatArray

Indices = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class SparseMap:
    """Hold the weights that aren't zero, one for each pair of an input and an output."""

    synapses: SynapseList
    values: FloatArray

    @classmethod
    def of(
        cls, pre: Indices, post: Indices, values: FloatArray, sizes: tuple[int, int]
    ) -> SparseMap:
        """Return the map of entries in any order; several entries of a pair are added.

        sizes: ``(n_pre, n_post)``.
        """
        places, first = np.unique(pre.astype(np.int64) * sizes[1] + post, return_inverse=True)
        sums = np.bincount(first, values, len(places))
        kept = sums != 0
        rows, columns = np.divmod(places[kept], sizes[1])
        return cls(listed(rows, columns.astype(np.int32), sizes), sums[kept])

    @property
    def n_pre(self) -> int:
        """Return the number of inputs."""
        return self.synapses.n_pre

    def __len__(self) -> int:
        return self.synapses.n_post

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the outputs, ``(n_post,)``, for inputs ``(n_pre,)``."""
        return self.synapses.sums(self.values * values[self.synapses.pre])

    def scaled(self, scale: FloatArray) -> SparseMap:
        """Return the map with each output multiplied by its *scale*, ``(n_post,)``."""
        return SparseMap(self.synapses, self.values * scale[self.synapses.post])

    def after(self, first: SparseMap | FloatArray, where: str) -> SparseMap:
        """Return this map applied after *first*, one weight for each channel or a map.

        Raises DescriptionError for more weights than a projection may have, naming *where*.
        """
        if not isinstance(first, SparseMap):
            return SparseMap(self.synapses, self.values * first[self.synapses.pre])
        counts = np.diff(self.synapses.start)[first.synapses.post]
        check_limit(where, "weights", int(counts.sum()), MAX_WEIGHTS)
        numbers = self.synapses.of(first.synapses.post.astype(np.intp))
        return SparseMap.of(
            np.repeat(first.synapses.pre, counts),
            self.synapses.post[numbers],
            np.repeat(first.values, counts) * self.values[numbers],
            (first.n_pre, len(self)),
        )

    def through(self, matrix: FloatArray) -> FloatArray:
        """Return the matrix ``(n, n_pre)`` of *matrix*, ``(n, n_post)``, applied after this map."""
        product = np.zeros((len(matrix), self.n_pre))
        for i in np.flatnonzero(np.diff(self.synapses.start)):
            part = slice(self.synapses.start[i], self.synapses.start[i + 1])
            product[:, i] = matrix[:, self.synapses.post[part]] @ self.values[part]
        return product

    @classmethod
    def of_matrix(cls, matrix: FloatArray) -> SparseMap:
        """Return the map of a matrix ``(n_post, n_pre)``."""
        post, pre = np.nonzero(matrix)
        return cls.of(pre, post, matrix[post, pre], (matrix.shape[1], matrix.shape[0]))
