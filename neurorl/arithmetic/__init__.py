"""Define how numbers are held: floating point on a grid, or the integers of Loihi."""

from neurorl.arithmetic.rounding import (
    Arithmetic,
    ChipArithmetic,
    Rounding,
    initial_weights,
    make_arithmetic,
)

__all__ = ["Arithmetic", "ChipArithmetic", "Rounding", "initial_weights", "make_arithmetic"]
