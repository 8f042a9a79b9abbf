"""Say how far simulators agree, and why they don't: the same inputs and noise into each.

The first of several backends (a backend in an arithmetic) is what the others are held against.
"""

from neurorl.validation.elsewhere import validate_on
from neurorl.validation.report import Validation, read_specs, validate
from neurorl.validation.result import Agreement
from neurorl.validation.tolerance import Limits, Tolerance

__all__ = [
    "Agreement",
    "Limits",
    "Tolerance",
    "Validation",
    "read_specs",
    "validate",
    "validate_on",
]
