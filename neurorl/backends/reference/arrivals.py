"""Sum the weights of the spikes that arrive over a projection."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import FloatArray
from neurorl.program import ProjectionProgram

__all__ = ["Arrivals"]


class Arrivals:
    """Hold the transmitted weights of a projection, and add those of a list to inputs.

    n_weights: how many are described. n_post: postsynaptic neurons.

    weights: flat, as described; float64 in both arithmetics, as sums of integers or of grid weights
    are exact in it. Always the same array, as others may write to it.
    blocks: the same memory as ``(blocks, n_pre, n_post)`` if weights are dense, else None.
    """

    def __init__(self, projection: ProjectionProgram, n_weights: int, n_post: int) -> None:
        self._projection, self._n_post = projection, n_post
        self.weights = np.zeros(n_weights)
        is_dense = projection.rows is None
        self.blocks = self.weights.reshape(-1, *projection.block) if is_dense else None

    def add(
        self, q: FloatArray, past: npt.NDArray[np.bool_], released: FloatArray | None = None
    ) -> None:
        """Add the weights of listed synapses that arrive in this step to *q*.

        past: the last spikes of the presynaptic node, newest last. released: what these released;
        None is 1.
        """
        rows = self._projection.rows
        assert rows is not None
        for delay, start in zip(self._projection.delays, rows.start, strict=True):
            spiking = np.flatnonzero(past[-delay])
            first, counts = start[spiking], start[spiking + 1] - start[spiking]
            total = int(counts.sum())
            if not total:
                continue
            before = np.cumsum(counts) - counts
            reached = np.repeat(first - before, counts) + np.arange(total)
            values = self.weights[reached if rows.places is None else rows.places[reached]]
            if released is not None:
                values = values * np.repeat(released[-delay][spiking], counts)
            q += np.bincount(rows.to[reached], values, self._n_post)
