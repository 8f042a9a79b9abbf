"""How far simulators agree, and why they don't: the same inputs and noise into each.

The first of several lanes (a backend in an arithmetic) is what the others are held against.
"""

from neurorl.validation.lanes import Lane, read_lanes
from neurorl.validation.report import Validation, validate
from neurorl.validation.tolerance import Tolerance

__all__ = ["Lane", "Tolerance", "Validation", "read_lanes", "validate"]
