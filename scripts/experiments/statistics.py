"""Compute figures of a few runs: interquartile mean and its interval, episodes to a threshold.

Interquartile mean and stratified bootstrap as in Agarwal et al. 2021, "Deep reinforcement learning
at the edge of the statistical precipice" (arXiv:2108.13264); their library, rliable, is not used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "WINDOW",
    "bootstrap_interval",
    "episodes_to_threshold",
    "interquartile_mean",
    "running_mean",
]

Array = npt.NDArray[np.float64]

WINDOW = 100
"""Average returns over this many episodes."""


def interquartile_mean(x: npt.ArrayLike) -> Array:
    """Average over the last axis without its lowest and highest quarters.

    As `scipy.stats.trim_mean(x, 0.25)`: a quarter is rounded down.

    >>> float(interquartile_mean([0.0, 1.0, 2.0, 9.0]))
    1.5
    """
    values = np.sort(np.asarray(x, dtype=np.float64), axis=-1)
    n = values.shape[-1]
    return np.asarray(values[..., n // 4 : n - n // 4].mean(axis=-1))


def bootstrap_interval(
    strata: Sequence[npt.ArrayLike], level: float = 0.95, repetitions: int = 10_000
) -> tuple[float, float]:
    """Return the percentile interval of the interquartile mean of all *strata* together.

    strata: the runs of each task; runs are drawn again, with replacement, within their own task.
    """
    rng = np.random.default_rng(0)
    drawn = []
    for stratum in strata:
        values = np.asarray(stratum, dtype=np.float64)
        drawn.append(values[rng.integers(len(values), size=(repetitions, len(values)))])
    means = interquartile_mean(np.concatenate(drawn, axis=1))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def running_mean(returns: npt.ArrayLike, window: int = WINDOW) -> Array:
    """Average each place with the *window* - 1 before it; with fewer at the start."""
    x = np.asarray(returns, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(x)])
    end = np.arange(1, len(x) + 1)
    first = np.maximum(end - window, 0)
    return np.asarray((total[end] - total[first]) / (end - first))


def episodes_to_threshold(
    returns: npt.ArrayLike, threshold: float, window: int = WINDOW
) -> int | None:
    """Return when the mean of *window* in a row first reached *threshold*; or None."""
    means = running_mean(returns, window)[window - 1 :]
    reached = np.flatnonzero(means >= threshold - 1e-9)
    return int(reached[0]) + window if len(reached) else None
