"""Translate a description to the integers of SynSense's Xylo, by one function for all backends.

The chip's neuron, per step, all integers, ``clip`` to 16 bits with sign, ``>>`` towards minus
infinity, and a decay by at least 1 towards 0::

    i = clip(i + n w)                   for each presynaptic neuron that spiked n times, in order
    i = i - decay(i, shift_syn);        decay(x, s) = x >> s, or the sign of x where that is 0
    d = clip(clip(i - decay(v, shift_mem)) + bias);  v = clip(v + d)
    n = clip(floor(v / threshold), 0, most);         v = v - n threshold

*most* is 31 for hidden neurons and 1 for output neurons, which only hidden ones project to, and
which project to none. Weights are ``m 2**shift``, m of -127..127 (8 bits with sign; -128 isn't
used) and one shift of 0..7 for each of the chip's three memories of weights: of inputs, of
recurrent ones and of outputs. Thresholds are 1..32767, biases have 16 bits with sign, shifts of
decays are 0..15.

A described current decays before input is added, the chip's after: a weight is as large as
described, and the membrane, its threshold and its bias are ``kept = 1 - 2**-shift_syn`` as large.
Source: xylosim 0.1.3, the vendor's simulator, whose bits these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.quantiser import weight_range
from neurorl.network.description import Network, Population, Projection
from neurorl.network.neuron import Integrator
from neurorl.numerics.arrays import FloatArray, IntArray

STATE_MAX = 2**15 - 1
MANTISSA_MAX = 127
SHIFT_MAX = 7
DECAY_MAX = 15
MOST_HIDDEN, MOST_OUTPUT = 31, 1
MEMORIES = ("input", "recurrent", "output")
"""Name the chip's memories of weights, each with a shift of its own."""

_LEVEL = STATE_MAX // 4
"""Bound thresholds and biases, so that a membrane reaches four of them in either direction."""


class XyloPopulation(NamedTuple):
    """Hold the integers of one population; arrays of shape ``(size,)``.

    unit: chip integers in a weight of 1. is_output: whether its neurons are the chip's output
    neurons. most: spikes of a neuron in one step. kept: part of the current that is left after a
    step. shift_syn, shift_mem: shifts of the decays of current and membrane.
    """

    unit: float
    is_output: bool
    most: int
    kept: FloatArray
    shift_syn: IntArray
    shift_mem: IntArray
    threshold: IntArray
    bias: IntArray


class XyloNetwork(NamedTuple):
    """Hold all integers but the weights. shifts: of the weights in each of `MEMORIES`."""

    populations: dict[str, XyloPopulation]
    shifts: dict[str, int]


def memory_of(network: Network, projection: Projection) -> str:
    """Return which of `MEMORIES` has the weights of a projection."""
    if is_output(network, projection.post):
        return "output"
    return "input" if projection.pre in {s.name for s in network.sources} else "recurrent"


def is_output(network: Network, population: str) -> bool:
    """Return whether a population is of output neurons: hidden ones alone project to it."""
    sources = {source.name for source in network.spiking.sources}
    into = [p.pre for p in network.spiking.projections if p.post == population]
    projects = any(p.pre == population for p in network.projections)
    return bool(into) and not projects and sources.isdisjoint(into)


def quantise(network: Network) -> XyloNetwork:
    """Return the integers of *network*, in which `XyloArithmetic.problems` finds nothing.

    Each side, hidden neurons and output neurons, is as large as its thresholds and shifts allow: a
    decay by shifts is the finer, the larger the numbers are. Within it, the shift of recurrent
    weights against those of inputs is the mean of what populations need for both to have 8 bits.
    """
    wants = {p.name: _Wanted(network, p) for p in network.populations}
    shifts = dict[str, int]()
    for side, memories in enumerate((MEMORIES[:2], MEMORIES[2:])):
        shifts |= _shifts(memories, [want for want in wants.values() if want.is_output == side])
    return XyloNetwork({name: want.integers(shifts) for name, want in wants.items()}, shifts)


def decay_shift(kept: FloatArray, least: int) -> IntArray:
    """Return the shifts s whose ``1 - 2**-s`` is nearest to *kept*, by time constant."""
    with np.errstate(divide="ignore"):
        wanted = np.rint(-np.log2(1 - kept))
    return np.asarray(np.clip(wanted, least, DECAY_MAX), dtype=np.int64)


def kept_current(integrator: Integrator) -> FloatArray:
    """Return the part of the current that the chip leaves after a step, ``(size,)``."""
    return np.asarray(1 - 2.0 ** -decay_shift(integrator.current_decay, 1))


class _Wanted:
    """Hold a population as described, and what decides on its unit.

    kept: what is left of its current. fixed: its unit, if the description has it, else 0. level:
    its largest threshold or bias, in a unit of 1. ranges: the largest weight into it by memory,
    without those that have none.
    """

    def __init__(self, network: Network, population: Population) -> None:
        self.described = d = population.integrator(network.dt)
        self.kept, self.ranges = kept_current(d), dict[str, float]()
        for p in network.projections:
            if p.post == population.name and (reach := weight_range(p)):
                memory = memory_of(network, p)
                self.ranges[memory] = max(reach, self.ranges.get(memory, 0.0))
        self.level = float((np.maximum(d.threshold, np.abs(d.bias)) * self.kept).max())
        self.fixed = population.neuron.chip_unit or 0.0
        self.is_output = is_output(network, population.name)

    def unit(self, shifts: dict[str, int]) -> float:
        """Return the unit: as fixed, or the largest in which its weights and thresholds fit."""
        limits = [(MANTISSA_MAX << shifts[memory]) / most for memory, most in self.ranges.items()]
        limits += [_LEVEL / self.level] if self.level else []
        return self.fixed or min(limits, default=1.0)

    def integers(self, shifts: dict[str, int]) -> XyloPopulation:
        """Return the integers of the population."""
        unit, d = self.unit(shifts), self.described
        # Whole numbers are over a threshold x if they are at least floor(x) + 1.
        threshold = np.floor(d.threshold * unit * self.kept) + 1
        return XyloPopulation(
            unit=unit,
            is_output=self.is_output,
            most=MOST_OUTPUT if self.is_output else MOST_HIDDEN,
            kept=self.kept,
            shift_syn=decay_shift(d.current_decay, 1),
            shift_mem=decay_shift(d.membrane_decay, 0),
            threshold=np.clip(threshold, 1, STATE_MAX).astype(np.int64),
            bias=sixteen_bits(d.bias * unit * self.kept),
        )


def _shifts(memories: Sequence[str], wants: Sequence[_Wanted]) -> dict[str, int]:
    """Return the shifts of a side: the least for fixed units, or the largest that leave room."""
    shifts = dict.fromkeys(memories, 0)
    if not wants or any(want.fixed for want in wants):
        for memory, need in ((x, w.ranges[x] * w.fixed) for w in wants for x in w.ranges):
            over = np.log2(max(need / MANTISSA_MAX, 1.0))
            shifts[memory] = max(shifts[memory], min(int(np.ceil(over)), SHIFT_MAX))
        return shifts
    both = [want.ranges for want in wants if {"input", "recurrent"} <= {*want.ranges}]
    if both:
        ratios = [np.log2(ranges["recurrent"] / ranges["input"]) for ranges in both]
        ahead = int(np.clip(np.rint(np.mean(ratios)), -SHIFT_MAX, SHIFT_MAX))
        shifts |= {"input": max(-ahead, 0), "recurrent": max(ahead, 0)}
    spare = [np.log2(_LEVEL / (want.unit(shifts) * want.level or _LEVEL)) for want in wants]
    more = int(max(min(SHIFT_MAX - max(shifts.values()), *np.floor(spare)), 0))
    return {memory: shift + more for memory, shift in shifts.items()}


def sixteen_bits(values: FloatArray) -> IntArray:
    """Return the nearest whole numbers of 16 bits with sign."""
    return np.asarray(np.clip(np.rint(values), -STATE_MAX - 1, STATE_MAX), dtype=np.int64)
