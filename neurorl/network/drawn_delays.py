"""Describe random delays in whole steps, one for each synapse of a list."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.network.limits import check_delay
from neurorl.network.plasticity import Uniform
from neurorl.network.serialization import Described, number
from neurorl.network.synapse_list import SynapseList, repeats
from neurorl.numerics.elementary import cospi, log
from neurorl.numerics.random import Stream, uniforms_at

__all__ = ["Normal", "check_drawn", "drawn_steps", "most_steps"]

_FAR = 4.0  # standard deviations


@dataclass(frozen=True, eq=False)
class Normal(Described):
    """Describe delays of a normal distribution, in seconds, rounded to steps and clipped.

    mean, sd: seconds. low, high: the shortest and longest delay, whole steps; others are clipped.
    None: one step, and mean + 4 standard deviations, rounded up to a step.
    """

    mean: float
    sd: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        number("Normal.mean", self.mean, low=0.0)
        number("Normal.sd", self.sd, low=0.0)
        if self.low is not None:
            number("Normal.low", self.low, low=0.0)
        if self.high is not None:
            number("Normal.high", self.high, low=self.low or 0.0)


def check_drawn(where: str, delays: Uniform | Normal, dt: float) -> None:
    """Raise DescriptionError unless the shortest and the longest delay are whole steps of *dt*."""
    for steps in _limits(delays, dt):
        check_delay(where, steps * dt, dt)


def _limits(delays: Uniform | Normal, dt: float) -> tuple[float, float]:
    """Return the fewest and the most steps that can be drawn."""
    if isinstance(delays, Uniform):
        return delays.low / dt, delays.high / dt
    low = 1.0 if delays.low is None else delays.low / dt
    far = math.ceil((delays.mean + _FAR * delays.sd) / dt - 1e-6)
    return low, max(low, far) if delays.high is None else delays.high / dt


def most_steps(delays: Uniform | Normal, dt: float) -> int:
    """Return the most steps that can be drawn."""
    return round(_limits(delays, dt)[1])


def drawn_steps(
    delays: Uniform | Normal, key: int, synapses: SynapseList, dt: float
) -> npt.NDArray[np.int32]:
    """Return the steps of each synapse's delay.

    The draw depends only on the synapse's place in a matrix and its number among synapses of the
    same two neurons. key: key of the projection's draws.
    """
    first, last = (round(steps) for steps in _limits(delays, dt))
    drawn = np.empty(len(synapses), dtype=np.int32)
    for part, places in synapses.chunks():
        again = repeats(places)
        one = uniforms_at(key, Stream.DELAYS, places, 2 * again)
        if isinstance(delays, Uniform):
            steps = first + np.floor(one * (last - first + 1))
        else:
            other = uniforms_at(key, Stream.DELAYS, places, 2 * again + 1)
            deviates = np.sqrt(-2.0 * log(one)) * cospi(2.0 * other)  # Box and Muller's
            steps = np.floor(delays.mean / dt + delays.sd / dt * deviates + 0.5)
        drawn[part] = np.clip(steps, first, last).astype(np.int32)
    return drawn
