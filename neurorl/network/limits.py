"""Limit how large a description may be, and refuse numbers that have a unit.

All numbers here are in SI or in the network's own units; only the caller can convert quantities
with units, of Brian2 and others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, quoted
from neurorl.numerics.arrays import BoolArray, FloatArray

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


MAX_LAYERS = 64
"""Limit the hidden layers of an actor."""
MAX_TAPS = 1024
"""Limit the lags of a filter, and the decisions that an agent recalls."""
MAX_PARTS = 4096
"""Limit the nodes, and the projections, of one network."""
MAX_SIZE = 2**22
"""Limit the neurons or channels of one node, all replicas together."""
MAX_SYNAPSES = 2**31
"""Limit the synapses of one network, all replicas together."""
MAX_AGENT_SYNAPSES = 2**26
"""Limit the synapses of an agent that learns; its weights alone take 512 MiB."""
MAX_LISTED = 2**28
"""Limit the synapses of one sparse projection, a list, all replicas together."""
MAX_WEIGHTS = 2**26
"""Limit the weights of one projection that stands for a product of several."""
MAX_DELAY = 2**16
"""Limit the steps from a spike to its arrival, and of a window."""
MAX_REFRACTORY = 2**31 - 1
"""Limit the steps for which a neuron is silent after a spike."""
MAX_REMEMBERED = 2**28
"""Limit the spikes under way in one network: the sum of delays times sizes."""
MAX_ROLLOUT = 2**18
"""Limit the steps of a rollout, summed over all environments of an agent."""
MAX_FEATURES = 2**22
"""Limit the features of one observation."""
MAX_TABLE = 2**25
"""Limit the numbers in a table of features, over all states or frequencies."""

_LONGEST_NAME = 200
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{_LONGEST_NAME - 1}}}\Z")


def check_limit(where: str, what: str, count: int, limit: int) -> None:
    """Raise DescriptionError if *count* is more than *limit*."""
    if count > limit:
        raise DescriptionError(where, f"too many {what}", got=count, limit=limit)


def check_delays(where: str, delays: float | FloatArray, dt: float) -> None:
    """Check the common delay of all synapses, or each one; see `check_delay`."""
    if not isinstance(delays, np.ndarray):
        check_delay(where, delays, dt)
        return
    if not len(delays):
        return
    steps = delays / dt
    off = np.abs(steps - np.rint(steps)).argmax()
    for worst in (delays.min(), delays.max(), delays[off]):
        check_delay(where, float(worst), dt)


def check_delay(where: str, delay: float, dt: float) -> None:
    """Raise DescriptionError unless *delay* is 1 to `MAX_DELAY` steps of *dt*, all in seconds."""
    steps = delay / dt
    if steps > MAX_DELAY:
        got, limit = f"{delay:g} s", f"{MAX_DELAY} steps of {dt:g} s"
        raise DescriptionError(where, "too long", got=got, limit=limit)
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
        got, limit = f"{delay:g} s", f"{dt:g} s, {2 * dt:g} s, ..."
        raise DescriptionError(where, "must be a whole number of steps", got=got, limit=limit)


def check_identifier(where: str, name: object) -> None:
    """Raise DescriptionError unless *name* can be the name of a node or projection."""
    if not isinstance(name, str) or not _NAME.match(name):
        limit = f"{_LONGEST_NAME} letters" if isinstance(name, str) else None
        what = "must be letters, digits and _, a letter first"
        raise DescriptionError(where, what, got=quoted(name), limit=limit)


def check_names(where: str, names: Iterable[str]) -> None:
    """Raise DescriptionError for a name that is used twice."""
    for name, times in Counter(names).items():
        if times > 1:
            raise DescriptionError(where, f"the name {name!r} is used twice")


def free_name(name: str, names: set[str]) -> str:
    """Return *name*, with underscores appended until it is unused, and add it to *names*."""
    while name in names:
        name += "_"
    names.add(name)
    return name


def truth_values(where: str, value: npt.ArrayLike | Sequence[object]) -> BoolArray:
    """Return a read-only copy of *value*, truth values or numbers, as booleans.

    Raises DescriptionError for anything else.
    """
    refuse_units(where, value)
    try:
        array = np.asanyarray(value)
    except ValueError as exc:
        raise DescriptionError(where, "not an array", got=exc) from exc
    if isinstance(array, np.ma.MaskedArray):
        raise DescriptionError(where, "a masked array", remedy="its values alone")
    if array.dtype.kind not in "biuf":
        raise DescriptionError(where, "not booleans", got=array.dtype)
    array = array.astype(bool)
    array.setflags(write=False)
    return array
