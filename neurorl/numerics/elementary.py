"""Define exp, log, tanh, sin, cos and sums of products to the last bit, the same in NumPy and in C.

The last bits of a library's exp or of BLAS's sums differ between processors, and a spike that
depends on such a bit would differ too. Here only operations fixed by IEEE 754 are used (+, -, *, /,
rounding), in a fixed order. ``native/src/elementary.h`` and ``expressions.h`` are the same in C.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import FloatArray

LANES = 8
EXP_LIMIT = 700.0
LOG2_E = math.log2(math.e)
# The first 32 bits of ln 2, so that a multiple of it is exact, and the rest.
LN2_HIGH = float.fromhex("0x1.62e42feep-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
EXP_TERMS = [1.0 / math.factorial(n) for n in range(14)]
# Coefficients of log((1 + s) / (1 - s)) / s - 2 in powers of s**2.
LOG_TERMS = [2.0 / n for n in range(3, 23, 2)]
ROOT_HALF_BITS = 0x3FE6A09E << 32  # the bits of a number just below sqrt(1/2)
ONE_BITS = 0x3FF << 52
FRACTION = (1 << 52) - 1
TANH_LIMIT = 25.0
"""Clip arguments of tanh here, where it is 1 to the last bit."""
TWO_BY_PI = 2.0 / math.pi
# pi/2 in parts of 22 bits, so that multiples up to 2**31 are exact, and the rest.
HALF_PI = [
    float.fromhex(text)
    for text in ("0x1.921fbp+0", "0x1.5110bp-22", "0x1.1846980000000p-44", "0x1.3198a2e037073p-69")
]
# Of sin(r)/r - 1 in powers of r**2 after the first, and of cos(r) - 1 + r**2/2 after r**4.
SIN_TERMS = [(-1.0) ** (m + 1) / math.factorial(2 * m + 3) for m in range(8)]
COS_RESTS = [(-1.0) ** m / math.factorial(2 * m + 4) for m in range(8)]
QUARTER_LIMIT = 0.8
"""Clip here what is left of an angle after turns by pi/2: it is larger beyond 2**30 only."""
COS_TERMS = [(-1.0) ** m * math.pi ** (2 * m) / math.factorial(2 * m) for m in range(13)]

_GRID = 2.0**20


def exp(x: npt.ArrayLike) -> FloatArray:
    """Return ``e**x`` to within 2 units in the last place; |x| is clipped at 700."""
    clipped = np.minimum(np.maximum(np.asarray(x, dtype=np.float64), -EXP_LIMIT), EXP_LIMIT)
    k = np.rint(clipped * LOG2_E)
    # In two parts, as k ln 2 as one product would cost r its last bits.
    r = (clipped - k * LN2_HIGH) - k * LN2_LOW
    # 2**k made of its exponent bits, which is exact everywhere.
    power = ((k.astype(np.int64) + 1023) << 52).view(np.float64)
    return np.asarray(_horner(r, EXP_TERMS) * power)


def log(x: npt.ArrayLike) -> FloatArray:
    """Return the natural logarithm to within 1 unit in the last place; -inf at 0, nan below.

    ``x = m 2**k`` with m from sqrt(1/2) to sqrt(2), and log m by its series in
    ``s = (m - 1) / (m + 1)``.
    """
    x = np.asarray(x, dtype=np.float64)
    is_regular = (x > 0.0) & (x < np.inf)
    # Subnormal numbers have no exponent bits; times 2**54 they do.
    is_small = is_regular & (x < 2.0**-1022)
    scaled = np.where(is_regular, x, 1.0) * np.where(is_small, 2.0**54, 1.0)
    # Moves the mantissa's range from [1, 2) to [sqrt(1/2), sqrt(2)), around 1.
    bits = scaled.view(np.int64) + (ONE_BITS - ROOT_HALF_BITS)
    k = ((bits >> 52) - 1023).astype(np.float64) - np.where(is_small, 54.0, 0.0)
    f = ((bits & FRACTION) + ROOT_HALF_BITS).view(np.float64) - 1.0
    half_square = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    rest = s * (half_square + z * _horner(z, LOG_TERMS)) + k * LN2_LOW
    # Small terms first, as C adds them: another order has other last bits.
    value = rest - half_square + f + k * LN2_HIGH
    outside = np.where(x == 0.0, -np.inf, np.where(x > 0.0, x, np.nan))
    return np.where(is_regular, value, outside)


def tanh(x: npt.ArrayLike) -> FloatArray:
    """Return the hyperbolic tangent to within 3 units in the last place, by ``e**(2 |x|) - 1``."""
    x = np.asarray(x, dtype=np.float64)
    y = 2.0 * np.minimum(np.abs(x), TANH_LIMIT)
    k = np.rint(y * LOG2_E)
    r = (y - k * LN2_HIGH) - k * LN2_LOW
    power = ((k.astype(np.int64) + 1023) << 52).view(np.float64)
    # e**y - 1 by its own series, as the difference would cancel near 0.
    less_one = r * _horner(r, EXP_TERMS[1:]) * power + (power - 1.0)
    return np.asarray(np.copysign(less_one / (less_one + 2.0), x))


def sigmoid(x: npt.ArrayLike) -> FloatArray:
    """Return ``1 / (1 + exp(-x))`` to within 3 units in the last place."""
    return np.asarray(1.0 / (1.0 + exp(np.negative(x))))


def sin(x: npt.ArrayLike) -> FloatArray:
    """Return the sine to within 2**-52; beyond |x| = 2**30 some number from -1 to 1."""
    x = np.asarray(x, dtype=np.float64)
    return np.where(x == 0.0, x, _wave(x, 0.0))


def cos(x: npt.ArrayLike) -> FloatArray:
    """Return the cosine to within 2**-52; beyond |x| = 2**30 some number from -1 to 1."""
    return _wave(np.asarray(x, dtype=np.float64), 1.0)


def _wave(x: FloatArray, turn: float) -> FloatArray:
    """Return the sine, or the cosine for a *turn* of 1, a quarter ahead."""
    k = np.rint(x * TWO_BY_PI)
    r = x
    for part in HALF_PI:
        r = r - k * part
    r = np.minimum(np.maximum(r, -QUARTER_LIMIT), QUARTER_LIMIT)
    z = r * r
    sine = r + r * (z * _horner(z, SIN_TERMS))
    cosine = (1.0 - 0.5 * z) + z * z * _horner(z, COS_RESTS)
    ahead = k + turn
    quarter = ahead - 4.0 * np.floor(0.25 * ahead)
    value = np.where((quarter == 1.0) | (quarter == 3.0), cosine, sine)
    return np.where(quarter >= 2.0, -value, value)


def cospi(y: npt.ArrayLike) -> FloatArray:
    """Return ``cos(pi y)`` with an absolute error below 2**-51; |y| < 2**51."""
    y = np.asarray(y, dtype=np.float64)
    whole = np.rint(y)
    # Exact; reducing pi y instead would lose bits.
    r = y - whole
    is_odd = whole - 2.0 * np.floor(0.5 * whole)
    return np.asarray(_horner(r * r, COS_TERMS) * (1.0 - 2.0 * is_odd))


def decay(dt: float, tau: float) -> float:
    """Return ``exp(-dt / tau)``, the share that is left after a step; 0 for tau = 0."""
    return float(exp(-dt / tau)) if tau else 0.0


def dot(a: FloatArray, b: FloatArray) -> float:
    """Return ``sum_i a_i b_i``: 8 sums of every eighth product in order, then these in order."""
    products = np.zeros(-(-len(a) // LANES) * LANES)
    np.multiply(a, b, out=products[: len(a)])
    # accumulate adds one by one, as C does; np.sum adds in pairs.
    lanes = np.add.accumulate(products.reshape(-1, LANES), axis=0)[-1]
    return float(np.add.accumulate(lanes)[-1])


def on_grid(x: npt.ArrayLike) -> FloatArray:
    """Round *x* to multiples of 2**-20, so that sums of products of two such numbers are exact.

    As with the grid of weights, no order of summation, library or processor changes a bit.
    """
    scaled = np.asarray(np.multiply(x, _GRID))
    np.rint(scaled, out=scaled)
    scaled *= 1.0 / _GRID
    return scaled


def _horner(x: FloatArray, terms: list[float]) -> FloatArray:
    value = np.full(x.shape, terms[-1])
    for term in terms[-2::-1]:
        value = value * x + term
    return value
