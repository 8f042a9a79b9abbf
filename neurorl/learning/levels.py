"""Define how float weights learn, to the last bit: whole levels, and eligibilities of 32 bits.

In float arithmetic a plastic weight is ``n u``, with a whole number n for which

    u = max(grid, 2**(ceil(log2 b) - 28))          b = max(|low|, |high|)
    ceil(low / u) <= n <= floor(high / u)          so |n| <= 2**28

grid is that of the projection's weights (`neurorl.arithmetic.rounding`), and u a multiple of it.
Where learning begins, weights take the nearest level within their bounds. A window then changes

    e <- f(f(f(keep) e) + f(S))                    0 where that is less than 2**-60
    n <- clip(n + rint(clip(f(f(eta M / u) e), -2**29, 2**29)))

f rounds to float32, and rint to even; each operation is rounded on its own, none is fused. S is
the window's exact sum, as in `neurorl.learning.learner`; eta M is computed in float64. All else is
of whole numbers of 32 bits. So small an e is 0 so that no number is subnormal, and post factors
are at most 2**40 (`neurorl.learning.finite`) so that none is infinite. ``native/src/rule.h`` is
the same in C++. In the chip's integers, weights and eligibilities are float64, and a weight in
force is a rounded copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.fitting import warn_of_lost_weights
from neurorl.arithmetic.rounding import Arithmetic, find_arithmetic, make_arithmetic
from neurorl.learning.plan import Plastic
from neurorl.network.description import Network
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import Array, FloatArray

FADED = 2.0**-60
_BITS = 28
LEVELS = 2.0 ** (_BITS - 1)
"""Count the units that are at least in a bound, where it makes the unit."""
_LARGEST_STEP = 2.0**29

Eligibility = Array


def eligibility_type(arithmetic: Arithmetic) -> type[np.floating[Any]]:
    """Return the kind of eligibilities: float32 where weights are levels, else float64."""
    return np.float32 if arithmetic.is_fine else np.float64


def levels_of(arithmetic: Arithmetic, plastic: Iterable[Plastic]) -> dict[str, Levels]:
    """Return the levels of projections that learn, by name; none in coarse arithmetic."""
    if not arithmetic.is_fine:
        return {}
    return {p.name: Levels.of(arithmetic.rounding(p.name).unit, p.low, p.high) for p in plastic}


def weights_to_begin_with(
    network: Network, arithmetic: str, seeds: Sequence[int]
) -> dict[str, FloatArray]:
    """Return the initial weights of projections that will learn, on levels; none if coarse.

    arithmetic: its name. Shapes are those of backends with so many seeds.
    """
    if not find_arithmetic(arithmetic).is_fine:
        return {}
    rounded, begin = make_arithmetic(arithmetic, network), dict[str, FloatArray]()
    for p in network.projections:
        if p.plasticity is not None:
            drawn = np.stack([initial_weights(network, p.name, seed) for seed in seeds])
            levels = Levels.of(rounded.rounding(p.name).unit, p.plasticity.low, p.plasticity.high)
            levels.warn_of_lost(p.name, drawn, rounded)
            weights = levels.nearest(rounded.round(p.name, drawn))
            begin[p.name] = weights if len(seeds) > 1 else weights[0]
    return begin


@dataclass(frozen=True)
class Levels:
    """Hold the unit of a projection's weights, and the least and the largest level."""

    unit: float
    least: int
    largest: int

    @classmethod
    def of(cls, grid: float, low: float, high: float) -> Levels:
        """Return the levels between two bounds; *grid* is a power of two.

        Bounds closer than a unit leave the one level below the higher.
        """
        most = max(abs(low), abs(high))
        mantissa, exponent = math.frexp(most)  # most = mantissa 2**exponent, 1/2 <= mantissa < 1
        unit = max(grid, math.ldexp(1.0, exponent - (mantissa == 0.5) - _BITS))
        largest = math.floor(high / unit)
        return cls(unit, min(math.ceil(low / unit), largest), largest)

    def nearest(self, weights: FloatArray) -> FloatArray:
        """Return weights on the nearest levels within the bounds; any shape."""
        n = np.clip(np.rint(weights * (1.0 / self.unit)), self.least, self.largest)
        return np.asarray(n * self.unit)

    def warn_of_lost(self, name: str, weights: FloatArray, arithmetic: Arithmetic) -> None:
        """Warn if a projection's weights, in *arithmetic*, become 0 where learning begins."""
        is_of_bounds = self.unit > arithmetic.rounding(name).unit
        warn_of_lost_weights(name, weights, self.unit, levels=LEVELS if is_of_bounds else None)

    def factor(self, step: float | FloatArray) -> npt.NDArray[np.float32]:
        """Return eta M in units, as float32; infinite if it is too large for that."""
        with np.errstate(over="ignore"):
            return np.asarray(step * (1.0 / self.unit)).astype(np.float32)

    def changed(self, weights: FloatArray, e: Eligibility, step: float | FloatArray) -> FloatArray:
        """Return weights after a change by eta M = *step*; weights on levels, any shape.

        step: one, or of a shape that fits that of the weights.
        """
        with np.errstate(over="ignore", under="ignore"):
            steps = np.asarray(self.factor(step) * e)
        np.clip(steps, -_LARGEST_STEP, _LARGEST_STEP, out=steps)
        n = np.asarray(weights * (1.0 / self.unit))
        n += np.rint(steps, out=steps)
        np.clip(n, self.least, self.largest, out=n)
        n *= self.unit
        return n


def remember(e: Eligibility, keep: float, tag: FloatArray) -> None:
    """Let ``e <- keep e + tag``, in the kind of numbers that *e* has."""
    if e.dtype != np.float32:
        e *= keep
        e += tag
        return
    with np.errstate(under="ignore"):
        e *= np.float32(keep)
        e += tag.astype(np.float32)
    e[np.abs(e) < FADED] = 0.0
