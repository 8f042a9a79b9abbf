"""Define how numbers are held: floating point on a grid, or the integers of a chip."""

from neurorl.arithmetic.rounding import (
    ARITHMETICS,
    Arithmetic,
    ChipArithmetic,
    Rounding,
    make_arithmetic,
)
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.network.initial_weights import initial_weights

__all__ = ["Arithmetic", "ChipArithmetic", "Rounding", "initial_weights", "make_arithmetic"]

ARITHMETICS[XyloArithmetic.name] = XyloArithmetic
