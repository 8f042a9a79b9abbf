"""Choose what a critic sees of observations that show much at one time and nothing at another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.models.features import Features, Multiply

__all__ = ["critic_features"]

_DARK, _LOOKS = 1 / 24, 400
"""Scale features if, among 400 observations, the smallest ``|x|**2`` is less than 1/24 of the
largest, as on a screen that is dark between flashes. 1/4 would change MinAtar's games and Catch."""
_DIGITS = 4


def critic_features(features: Features, rows: npt.NDArray[np.float64]) -> Features:
    """Return *features* for a critic, scaled if hardly any are active at times.

    Unscaled, a critic of flashes on a dark screen diverges; see `Multiply`.
    rows: the observations of the first play, ``(n, d)``.
    """
    looks = rows[:: -(-len(rows) // _LOOKS)]
    sizes = [float(np.square(features(row)).sum()) for row in looks]
    if min(sizes) >= _DARK * max(sizes):
        return features
    return Multiply(features, float(f"{max(sizes) ** -0.5:.{_DIGITS}g}"))
