"""Warn of a grid that is too coarse for weights, which become 0, or for steps of learning.

Small losses by rounding are no reason to warn: some weights may be negligible beside the others.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from neurorl.errors import GridWarning, format_message, warn_outside

_NOTABLE = 2.0**-8  # share of the largest weight
_SMALL_STEP = 2.0**-10  # modulator times eligibility


def warn_of_lost_weights(
    name: str,
    weights: npt.NDArray[np.float64],
    unit: float,
    *,
    levels: float | None,
    every: bool = False,
) -> None:
    """Warn with a `GridWarning` if rounding to multiples of *unit* makes relevant weights 0.

    name: name of the projection. weights: before rounding, 0 where there is no synapse. levels: the
    least number of units up to a bound of learning; None if the unit doesn't follow from bounds.
    every: whether only the loss of all weights matters, as on a chip's few levels.
    """
    sizes = np.abs(weights)
    largest = float(sizes.max(initial=0.0))
    if largest > unit / 2 and (every or unit / 2 <= _NOTABLE * largest):
        return
    lost = sizes[(sizes > 0) & (sizes <= unit / 2)]
    if not lost.size or lost.max() <= _NOTABLE * largest:
        return
    what = f"the grid of its weights makes {lost.size:,} of {np.count_nonzero(sizes):,} into 0"
    remedy = f"the least that stays is {unit:g}; the grid is in proportion to the membrane's scale"
    if levels is not None:
        remedy = _bounds_remedy(largest if every else 2 * _NOTABLE * largest, levels)
    _warn(name, what, f"steps of {unit:g}, weights up to {largest:g}", remedy)


def warn_of_lost_steps(name: str, alpha: float, unit: float, levels: float) -> None:
    """Warn with a `GridWarning` if steps of learning are too small for a grid of *unit*.

    alpha: the size of a step with modulator and eligibility 1; their product may be a thousandth.
    levels: as in `warn_of_lost_weights`.
    """
    least = abs(alpha) * _SMALL_STEP
    if 0 < least <= unit / 2:
        what = "the grid of its weights is too coarse for the steps of learning"
        got = f"steps of {unit:g}, a learning rate of {alpha:g}"
        _warn(name, what, got, _bounds_remedy(2 * least, levels))


def _bounds_remedy(unit: float, levels: float) -> str:
    """Return the bounds, *levels* units wide, that give a grid of at most *unit*."""
    bound = 10.0 ** math.floor(math.log10(unit * levels))
    return f"take bounds of at most {bound:g} (Plasticity low and high, an agent's weight_bound)"


def _warn(name: str, what: str, got: str, remedy: str) -> None:
    where = f"projection {name!r}"
    warn_outside(format_message(where, what, got=got, remedy=remedy), GridWarning)
