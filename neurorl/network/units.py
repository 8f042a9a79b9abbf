"""Refuse quantities with units, of Brian2 and others, rather than take them for plain numbers.

All numbers here are in SI or in the network's own units; only the caller can convert.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.errors import DescriptionError, quoted

__all__ = ["refuse_units", "unit_of"]

_MARKS = ("dim", "dimensions", "dimensionality", "unit", "units")
_PLAIN = (bool, int, float, str, bytes, type(None))


def refuse_units(where: str, value: object) -> None:
    """Raise DescriptionError if *value*, or a member of it, is a quantity that has a unit."""
    unit = unit_of(value)
    if unit is not None:
        what = f"has a unit, {unit}"
        remedy = f"give a plain number{_in_si(value)}"
        raise DescriptionError(where, what, got=quoted(value), remedy=remedy)


def _in_si(value: Any) -> str:
    """Say how to write a quantity: times in seconds, others in units of the user's equations."""
    if not hasattr(value, "dim"):  # Brian2's quantities, which hold SI numbers
        return ", in SI units for times, else in those of the equations"
    unit = "second" if str(value.dim) == "s" else "mV"
    if np.ndim(value):
        return f", such as np.asarray(x / {unit})"
    return f": {np.asarray(value):g} in SI units, or float(x / {unit})"


def unit_of(value: Any) -> str | None:
    """Return the unit of a quantity, or of the first member that has one; None for plain numbers.

    No package of units is imported: a quantity is an object with a `dim`, `unit` or the like that
    isn't dimensionless.
    """
    if type(value) in _PLAIN or (type(value) is np.ndarray and value.dtype != object):
        return None
    if isinstance(value, (list, tuple)) or type(value) is np.ndarray:
        return next((unit for unit in map(unit_of, value) if unit is not None), None)
    if any(getattr(value, name, False) is True for name in ("is_dimensionless", "dimensionless")):
        return None
    for name in _MARKS:
        unit = getattr(value, name, None)
        if unit is not None and not callable(unit) and str(unit) not in ("", "1", "dimensionless"):
            return str(unit)
    return None
