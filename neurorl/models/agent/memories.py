"""Extend observations by how far each number is from its running mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import FloatArray

__all__ = ["Memories", "extended"]


class Memories:
    """Keep running means of the observations of *n* environments, and extend observations by them.

    `see` turns an observation ``o`` of d numbers into ``(o, o - m_1, ..., o - m_K)``. Each ``m_k``
    is a running mean of the earlier steps of the episode, ``m <- keep m + (1 - keep) o``, which
    begins at the first o. With keep 0, ``o - m`` is the change since the step before, a velocity if
    o is a position; with 0.9 the mean is over some 10 steps, for evidence that comes bit by bit.
    """

    def __init__(self, keeps: Sequence[float], n: int) -> None:
        self._keeps = np.array(keeps, dtype=np.float64)[:, None]
        self._means: list[FloatArray | None] = [None] * n

    def begin(self, i: int) -> None:
        """Begin an episode of environment *i*: forget its observations."""
        self._means[i] = None

    def see(self, i: int, observation: Any) -> FloatArray:
        """Return the observation of environment *i* extended by its memories, and remember it."""
        now = np.asarray(observation, dtype=np.float64).ravel()
        mean = self._means[i]
        if mean is None or mean.shape[1] != len(now):
            mean = np.repeat(now[None], len(self._keeps), axis=0)
        shown = np.concatenate([now, (now - mean).ravel()])
        self._means[i] = self._keeps * mean + (1.0 - self._keeps) * now
        return shown

    def copy(self, other: Memories) -> None:
        """Take over all running means of *other*."""
        self._means = [None if mean is None else mean.copy() for mean in other._means]


def extended(
    rows: npt.NDArray[np.float64], lengths: Sequence[int], keeps: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Return *rows* of observations as an agent with such memories sees them.

    rows: observations of episodes one after the other, ``(n, d)``. lengths: the number of rows of
    each episode.
    """
    memories, shown, k = Memories(keeps, 1), [], 0
    for length in lengths:
        memories.begin(0)
        for row in rows[k : k + length]:
            shown.append(memories.see(0, row))
        k += length
    return np.array(shown)
