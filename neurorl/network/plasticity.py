"""Describe how weights begin, and that they learn."""

from __future__ import annotations

from dataclasses import dataclass

from neurorl.errors import DescriptionError
from neurorl.network.serialization import Described, number

__all__ = ["Plasticity", "Uniform"]


@dataclass(frozen=True, eq=False)
class Uniform(Described):
    """Describe initial weights drawn evenly from [low, high), by the network's seed."""

    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", number("Uniform.low", self.low))
        object.__setattr__(self, "high", number("Uniform.high", self.high, low=self.low))


@dataclass(frozen=True, eq=False)
class Plasticity(Described):
    """Declare that a projection learns, and what its synapses remember.

    trace_tau: time constant (s) of the presynaptic trace ``x <- exp(-dt/trace_tau) x + spike``,
        fed by spikes as they arrive; 0 keeps only the current step's spike.
        low, high: bounds of every weight; they also fix the resolution of chip arithmetic.
    """

    trace_tau: float = 0.0
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        number("Plasticity.trace_tau", self.trace_tau, low=0.0)
        number("Plasticity.low", self.low)
        if number("Plasticity.high", self.high) <= self.low:
            raise DescriptionError(
                "Plasticity.high", "must exceed low", got=self.high, limit=f"> {self.low}"
            )
