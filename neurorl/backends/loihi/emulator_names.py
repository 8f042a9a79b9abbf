"""Name the private attributes of nengo-loihi's emulator that neurorl uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["NEEDED", "missing"]

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
