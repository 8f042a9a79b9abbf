"""Say how far simulators agree, and why they don't: the same inputs and noise into each.

The first of several backends (a backend in an arithmetic) is what the others are held against.
The names below are imported when they are first used, as every command of the command line imports
this package.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_PARTS = ("elsewhere", "report", "result", "tolerance")


def __getattr__(name: str) -> object:
    if name in __all__:
        for part in _PARTS:
            module = importlib.import_module(f"{__name__}.{part}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
