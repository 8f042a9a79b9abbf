"""Enumerate what a few binary units can do, and how likely each is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def patterns(n: int) -> npt.NDArray[np.bool_]:
    """Return all outcomes of n neurons, ``(2**n, n)``."""
    return np.asarray(np.arange(2**n)[:, None] >> np.arange(n) & 1, dtype=bool)


def probability_of(spikes: npt.NDArray[np.bool_], z: Array) -> Array:
    """Return that of patterns of units with ``P(spike) = sigmoid(2 z)``, over the last axis."""
    p = 1.0 / (1.0 + np.exp(-2.0 * z))
    return np.asarray(np.where(spikes, p, 1.0 - p).prod(axis=-1))
