"""Show an agent, beside each number of an observation, how far it is from what it was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.network.serialization import FloatArray

__all__ = ["Memories", "extended"]


class Memories:
    """Keep running means of the observations of *n* environments, and extend observations by them.

    Of ``o`` of d numbers `see` makes ``(o, o - m_1, ..., o - m_K)``, each ``m_k`` the mean of the
    steps before in this episode, ``m <- keep m + (1 - keep) o``, at first o. With keep 0 that is
    the change since the step before, as a position's is its velocity; with 0.9 the means are of
    some 10 steps, as evidence is that comes bit by bit.
    """

    def __init__(self, keeps: Sequence[float], n: int) -> None:
        self._keeps = np.array(keeps, dtype=np.float64)[:, None]
        self._means: list[FloatArray | None] = [None] * n

    def begin(self, i: int) -> None:
        """Begin an episode of environment *i*: what it shows next is all that is known."""
        self._means[i] = None

    def see(self, i: int, observation: Any) -> FloatArray:
        """Return what environment *i* shows now, with how it came about, and remember it."""
        now = np.asarray(observation, dtype=np.float64).ravel()
        mean = self._means[i]
        if mean is None or mean.shape[1] != len(now):
            mean = np.repeat(now[None], len(self._keeps), axis=0)
        shown = np.concatenate([now, (now - mean).ravel()])
        self._means[i] = self._keeps * mean + (1.0 - self._keeps) * now
        return shown

    def copy(self, other: Memories) -> None:
        """Remember what *other* does."""
        self._means = [None if mean is None else mean.copy() for mean in other._means]


def extended(
    rows: npt.NDArray[np.float64], lengths: Sequence[int], keeps: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Return *rows* of observations as an agent with such memories sees them.

    rows: of episodes one after the other, ``(n, d)``. lengths: of these episodes, in rows.
    """
    memories, shown, k = Memories(keeps, 1), [], 0
    for length in lengths:
        memories.begin(0)
        for row in rows[k : k + length]:
            shown.append(memories.see(0, row))
        k += length
    return np.array(shown)
