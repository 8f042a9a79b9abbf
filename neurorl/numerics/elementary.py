"""Define exp, cos and sums of products to the last bit, the same in NumPy and in C.

A library's own exp or BLAS's sums differ in their last bit from one processor to the next, and a
spike that depends on that bit would differ too. Here is only what IEEE 754 fixes: +, -, *, /,
rounding, and an order of summation. ``native/src/elementary.h`` is the same in C.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["cospi", "decay", "dot", "exp", "on_grid"]

Array = npt.NDArray[np.float64]

LANES = 8
EXP_LIMIT = 700.0
LOG2_E = math.log2(math.e)
# The first 32 bits of ln 2, so that a multiple of it is exact, and the rest.
LN2_HIGH = float.fromhex("0x1.62e42feep-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
EXP_TERMS = [1.0 / math.factorial(n) for n in range(14)]
COS_TERMS = [(-1.0) ** m * math.pi ** (2 * m) / math.factorial(2 * m) for m in range(13)]

_GRID = 2.0**20


def exp(x: npt.ArrayLike) -> Array:
    """Return ``e**x`` to within 2 units in the last place; |x| is clipped at 700."""
    clipped = np.minimum(np.maximum(np.asarray(x, dtype=np.float64), -EXP_LIMIT), EXP_LIMIT)
    k = np.rint(clipped * LOG2_E)
    r = (clipped - k * LN2_HIGH) - k * LN2_LOW
    power = ((k.astype(np.int64) + 1023) << 52).view(np.float64)
    return np.asarray(_horner(r, EXP_TERMS) * power)


def cospi(y: npt.ArrayLike) -> Array:
    """Return ``cos(pi y)`` with an absolute error below 2**-51; |y| < 2**51."""
    y = np.asarray(y, dtype=np.float64)
    whole = np.rint(y)
    r = y - whole
    odd = whole - 2.0 * np.floor(0.5 * whole)
    return np.asarray(_horner(r * r, COS_TERMS) * (1.0 - 2.0 * odd))


def decay(dt: float, tau: float) -> float:
    """Return ``exp(-dt / tau)``, 0 for tau = 0: the part that is left after a step."""
    return float(exp(-dt / tau)) if tau else 0.0


def dot(a: Array, b: Array) -> float:
    """Return ``sum_i a_i b_i``: 8 sums of every eighth product in order, then these in order."""
    products = np.zeros(-(-len(a) // LANES) * LANES)
    np.multiply(a, b, out=products[: len(a)])
    lanes = np.add.accumulate(products.reshape(-1, LANES), axis=0)[-1]
    return float(np.add.accumulate(lanes)[-1])


def on_grid(x: npt.ArrayLike) -> Array:
    """Round *x* to multiples of 2**-20, so that sums of products of two such are exact.

    Like the grid of the weights: no order of summation, library or processor changes a bit.
    """
    return np.asarray(np.rint(np.multiply(x, _GRID)) * (1.0 / _GRID))


def _horner(x: Array, terms: list[float]) -> Array:
    value = np.full(x.shape, terms[-1])
    for term in terms[-2::-1]:
        value = value * x + term
    return value
