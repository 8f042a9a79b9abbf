"""Define how numbers are held: floating point on a grid, or the integers of a chip."""

from neurorl.arithmetic.rounding import (
    ARITHMETICS,
    Arithmetic,
    ChipArithmetic,
    Rounding,
    initial_weights,
    make_arithmetic,
)
from neurorl.arithmetic.xylo import XyloArithmetic

__all__ = ["Arithmetic", "ChipArithmetic", "Rounding", "initial_weights", "make_arithmetic"]

ARITHMETICS[XyloArithmetic.name] = XyloArithmetic
