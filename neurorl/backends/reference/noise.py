"""Draw the noise of replicas side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import DrawRows

__all__ = ["DrawAll", "ReplicaNoise"]

DrawAll = Callable[[Sequence[int]], FloatArray]
"""Return the draws of all neurons, given the index of the step in each replica."""


class ReplicaNoise:
    """Draw the noise of one population in all replicas.

    rows: the draws of each replica, by its own seed.
    """

    def __init__(self, rows: Sequence[DrawRows]) -> None:
        self._rows = rows

    def __call__(self, steps: Sequence[int]) -> FloatArray:
        """Return the draws of step ``steps[k]`` for replica k, shape ``(n_replicas * size,)``."""
        if len(steps) == 1:
            return self._rows[0](steps[0])
        return np.concatenate([draw(step) for draw, step in zip(self._rows, steps, strict=True)])
