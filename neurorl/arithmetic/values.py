"""Bring numbers of any range to a grid, so that their sums with weights are exact.

Weights of values are multiples of 2**-24 of the membrane's scale that add up to 2**11 of it, as
with short-term plasticity. The values of a source in a step are parts of 16 bits, on grids that the
largest of them sets: its exponent of 2 less 16, 32 and 48. Sums of weights and of values of one
part are whole multiples of one number, of 16 + 24 + 11 bits, and so exact in any order; the sums of
the three parts are added from the smallest on.
"""

from __future__ import annotations

import numpy as np

from neurorl.numerics.arrays import FloatArray

PART_BITS, VALUE_BITS = 16, 48
"""Keep so many bits of a value, from the highest of the largest value of its source and step."""
SMALLEST = 2.0**-500
"""Round as if a value of this size were there, so that no product is too small for its bits."""


def parts_of(values: FloatArray) -> FloatArray:
    """Return three parts, whose sum the rounded *values* are, the smallest first.

    values: finite, ``(..., size)``, a row for each step and replica. Parts are the first axis.
    """
    largest = np.maximum(np.abs(values).max(axis=-1, keepdims=True, initial=0.0), SMALLEST)
    unit = largest / np.frexp(largest)[0]  # a power of two
    parts, rest = [], values
    for _ in range(3):
        unit = unit * 2.0**-PART_BITS
        parts.append(np.rint(rest / unit) * unit)
        rest = rest - parts[-1]
    return np.stack(parts[::-1])
