"""Describe how synapses learn and what spikes release, and draw weights and delays.

Random synapses and delays are drawn by a counter; a synapse depends on the seed alone.

A row is a neuron that draws. Its draw k is made of words 2k and 2k + 1 of the row's counter, so no
chunk, order or machine changes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.network.limits import check_delay
from neurorl.network.serialization import Described, NotNegative, Number, number
from neurorl.network.synapse_list import CHUNK, SynapseList, repeats
from neurorl.numerics.arrays import BoolArray, FloatArray, Int32Array, IntArray
from neurorl.numerics.elementary import cospi, decay, log
from neurorl.numerics.random import Stream, philox4x32, uniforms_at


@dataclass(frozen=True, eq=False)
class Uniform(Described):
    """Describe initial weights drawn evenly from [low, high), by the network's seed."""

    low: Number
    high: Number

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "high", number("Uniform.high", self.high, low=self.low))


@dataclass(frozen=True, eq=False)
class Plasticity(Described):
    """Declare that a projection learns, and what its synapses remember.

    trace_tau: time constant (s) of the presynaptic trace ``x <- exp(-dt/trace_tau) x + spike``,
        fed by spikes as they arrive; 0 keeps only the current step's spike.
        low, high: bounds of every weight; they also fix the resolution of chip arithmetic.
    """

    trace_tau: NotNegative = 0.0
    low: Number = -1.0
    high: Number = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.high <= self.low:
            raise DescriptionError(
                "Plasticity.high", "must exceed low", got=self.high, limit=f"> {self.low}"
            )


RELEASE_GRID = 2.0**-16
"""Round releases of spikes to this grid, so coarse that sums with weights stay exact."""


@dataclass(frozen=True, eq=False)
class TsodyksMarkram(Described):
    """Describe short-term depression and facilitation, the same for all synapses of a neuron.

    U: the part of the resources that a first spike uses, in (0, 1].
    tau_rec: time constant of recovery, s; 0: no depression.
    tau_facil: time constant of facilitation, s; 0: no facilitation.

    A presynaptic neuron has resources x, at rest 1, and facilitation u, at rest 0, with
    ``dx/dt = (1 - x)/tau_rec`` and ``du/dt = -u/tau_facil`` between spikes. A spike, in this
    order, does ``u <- u + U (1 - u)``, releases ``r = u x``, does ``x <- x - u x`` and transmits
    ``w r`` after the projection's delay, r rounded to a multiple of `RELEASE_GRID`.

    Source: Tsodyks, Pawelzik & Markram (1998), Neural Computation 10, 821-835,
    doi 10.1162/089976698300017502, eqs. 2.1 to 2.5 for resources that are inactive for no time;
    from spike to spike the equations and their order are those of NEST's ``tsodyks2_synapse``.
    """

    U: Number = 0.5
    tau_rec: NotNegative = 0.8
    tau_facil: NotNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.U <= 1.0:
            where = f"{type(self).__name__}.U"
            raise DescriptionError(where, "out of range", got=self.U, limit="0 < U <= 1")

    def decays(self, dt: float) -> tuple[float, float]:
        """Return the shares of facilitation and of used resources left after a step of *dt*."""
        return decay(dt, self.tau_facil), decay(dt, self.tau_rec)

    def released(self, spikes: BoolArray, dt: float) -> FloatArray:
        """Return how much each spike of a raster ``(W, n)`` releases, from rest."""
        decays, rows = self.decays(dt), np.empty(spikes.shape)
        u = used = np.zeros(spikes.shape[1])  # used: 1 - x
        for row, now in zip(rows, spikes, strict=True):
            u, used = decays[0] * u, decays[1] * used
            raised = u + self.U * (1.0 - u)
            released = raised * (1.0 - used)
            rounded = np.floor(released / RELEASE_GRID + 0.5) * RELEASE_GRID
            u, used = np.where(now, raised, u), np.where(now, used + released, used)
            row[:] = np.where(now, rounded, 0.0)
        return rows


def choices(seed: int, rows: IntArray, n: int, of: int, *, repeats: bool) -> Iterator[IntArray]:
    """Yield for chunks of *rows*, keys of draws, *n* of the numbers 0 to *of* - 1, sorted in each.

    repeats: whether a row may have a number twice. Without, it is the first *n* different draws.
    """
    excludes = not repeats and n > of // 2
    width = of if excludes else max(n, 1)
    step = max(1, CHUNK // width)
    for first in range(0, len(rows), step):
        chunk = rows[first : first + step]
        if repeats:
            yield np.sort(_numbers(seed, chunk, n, of), axis=1)
        elif excludes:  # if most are chosen, drawing the rest is quicker
            is_in = np.ones((len(chunk), of), dtype=bool)
            np.put_along_axis(is_in, _different(seed, chunk, of - n, of), False, axis=1)
            yield np.nonzero(is_in)[1].reshape(len(chunk), n)
        else:
            yield _different(seed, chunk, n, of)


def hits(seed: int, places: int, p: float) -> Iterator[IntArray]:
    """Yield, in order and in chunks, places taken independently with probability *p*.

    The draws are the distances from one taken place to the next, which are geometric.
    """
    if p == 0:
        return
    scale, row = _log_of_rest(p), np.zeros(1, dtype=np.int64)
    at, drawn = -1, 0
    while at < places:
        expected = p * (places - at)
        # Even, as `_units` begins at even draws only.
        n = min(CHUNK, 2 * int(expected / 2 + 2 * expected**0.5 + 8))
        gaps = np.floor(log(_units(seed, row, drawn, n)[0]) / scale)
        # Clipped, as a gap may be too large for int64.
        where = at + np.cumsum(np.minimum(gaps, float(places)).astype(np.int64) + 1)
        yield where[where < places]
        at, drawn = int(where[-1]), drawn + n


def _log_of_rest(p: float) -> float:
    """Return log(1 - p), for small p by its series."""
    if p < 2.0**-20:
        return -p * (1.0 + p * (0.5 + p / 3.0))
    return float(log(1.0 - p))


def _different(seed: int, rows: IntArray, n: int, of: int) -> IntArray:
    """Return the first *n* different draws of each row, sorted, ``(rows, n)``."""
    chosen = np.empty((len(rows), n), dtype=np.int64)
    # Enough draws for the expected repeats; rows with more begin again with twice as many.
    left, draws = np.arange(len(rows)), n + n * n // of + 8
    while len(left) and n:
        drawn = _numbers(seed, rows[left], draws, of)
        is_first = _first_ones(drawn)
        so_far = np.cumsum(is_first, axis=1)
        is_done = so_far[:, -1] >= n
        taken = (is_first & (so_far <= n))[is_done]
        chosen[left[is_done]] = drawn[is_done][taken].reshape(-1, n)
        left, draws = left[~is_done], 2 * draws
    chosen.sort(axis=1)
    return chosen


def _first_ones(drawn: IntArray) -> BoolArray:
    """Return which draws of a row are the first of their number."""
    order = np.argsort(drawn, axis=1, kind="stable")
    ordered = np.take_along_axis(drawn, order, axis=1)
    is_new = np.ones(drawn.shape, dtype=bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    is_first = np.empty(drawn.shape, dtype=bool)
    np.put_along_axis(is_first, order, is_new, axis=1)
    return is_first


def _numbers(seed: int, rows: IntArray, n: int, of: int) -> IntArray:
    """Return the first *n* draws of each row as numbers 0 to *of* - 1."""
    numbers = (_units(seed, rows, 0, n) * of).astype(np.int64)
    # A unit just below 1 times *of* may round to *of*.
    return np.minimum(numbers, of - 1)


def _units(seed: int, rows: IntArray, first: int, n: int) -> FloatArray:
    """Return draws *first* to ``first + n - 1`` of each row, in (0, 1), of 52 bits each.

    first: even.
    """
    blocks = np.arange(first // 2, (first + n + 1) // 2, dtype=np.uint64)
    drawn = philox4x32((rows[:, None].astype(np.uint64), blocks, 0, Stream.CONNECT), seed)
    units = np.empty((len(rows), len(blocks), 2))
    for k in range(2):
        units[..., k] = ((drawn[2 * k] << 20 | drawn[2 * k + 1] >> 12) + 0.5) * 2.0**-52
    return units.reshape(len(rows), -1)[:, :n]


_FAR = 4.0  # standard deviations


@dataclass(frozen=True, eq=False)
class Normal(Described):
    """Describe delays of a normal distribution, in seconds, rounded to steps and clipped.

    mean, sd: seconds. low, high: the shortest and longest delay, whole steps; others are clipped.
    None: one step, and mean + 4 standard deviations, rounded up to a step.
    """

    mean: NotNegative
    sd: NotNegative
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
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


def drawn_steps(delays: Uniform | Normal, key: int, synapses: SynapseList, dt: float) -> Int32Array:
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
