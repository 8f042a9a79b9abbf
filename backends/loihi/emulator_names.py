"""Name the private attributes of nengo-loihi's emulator that neurorl uses."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from neurorl.backends.loihi.vendor import version

__all__ = ["FAST", "NEEDED", "can_accelerate", "missing"]

NEEDED = (
    "t",
    "step",
    "compartment.update",
    "compartment.current",
    "compartment.voltage",
    "compartment.spiked",
    "compartment.ref_count",
    "compartment.vth",
    "compartment.bias",
    "compartment._overflow",
)
"""Name the attributes of an `EmulatorInterface` that running a network needs."""

FAST = (
    "inputs",
    "synapses.inject_current",
    "synapses.update_input",
    "compartment.input",
    "compartment.decay_u",
    "compartment.decay_v",
    "compartment.vmin",
    "compartment.vmax",
    "compartment.ref",
    "compartment.spike_count",
)
"""Name further attributes, which only the accelerators use."""

_warned: set[tuple[str, ...]] = set()  # missing names that have been warned of, once a process


def missing(emulator: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Return the dotted *names* that *emulator* lacks."""

    def has(name: str) -> bool:
        """Return whether *emulator* has the attribute, part by part."""
        value = emulator
        for part in name.split("."):
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True

    return tuple(name for name in names if not has(name))


def can_accelerate(emulator: Any) -> bool:
    """Return whether *emulator* has the attributes that acceleration needs; warn once if not."""
    lacks = missing(emulator, FAST)
    if lacks and lacks not in _warned:
        _warned.add(lacks)
        warnings.warn(
            f"backend loihi: nengo-loihi {version()} has no {', '.join(lacks)};"
            " running its own, slower loops",
            stacklevel=2,
        )
    return not lacks
