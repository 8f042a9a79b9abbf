"""Define how numbers are held: floating point on a grid, or the integers of a chip."""

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.arithmetic.xylo import XyloArithmetic

ARITHMETICS[XyloArithmetic.name] = XyloArithmetic
