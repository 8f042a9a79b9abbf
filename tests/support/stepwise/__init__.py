"""Run networks step by step in NumPy, without a program: a second opinion on every backend.

Tests of faults change its parts, which have the names of what they do.
"""

from stepwise.equations import EquationNeurons
from stepwise.simulator import SteppedSimulator

__all__ = ["EquationNeurons", "SteppedSimulator"]
