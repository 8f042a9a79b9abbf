"""Write changes into weights of a coarse unit, by a scheme of `neurorl.models.agent.writes`."""

from __future__ import annotations

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic, Rounding
from neurorl.errors import UnsupportedError
from neurorl.learning.memory import Memory
from neurorl.learning.plan import LearningPlan, Plastic
from neurorl.models.agent.writes import Writes
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.numerics.random import Stream, uniforms, uniforms_at

END = Stream.WRITES_AT_ENDS - Stream.WRITES


def stochastic_round(x: FloatArray, u: FloatArray) -> FloatArray:
    """Return ``floor(x + u)``: of mean x for u uniform in (0, 1), and 0 for x = 0. Any shape."""
    return np.asarray(np.floor(x + u))


def levels(rounding: Rounding, low: float, high: float) -> tuple[float, float]:
    """Return the least and the largest n of a weight in [low, high], rounded as a shadow's are."""
    ends = np.rint(np.array([low, high]) * rounding.inverse)
    least, largest = np.clip(ends, -rounding.limit, rounding.limit)
    return float(least), float(largest)


def stream(network: Network, name: str) -> int:
    """Return the stream of a projection's draws; their counters are synapse and decision."""
    return Stream.WRITES + [p.name for p in network.projections].index(name)


def check_writes(writes: Writes, arithmetic: Arithmetic, name: str) -> None:
    """Raise UnsupportedError for schemes without a shadow in fine arithmetic, called *name*.

    There, the weights in force learn themselves.
    """
    if arithmetic.is_fine and not writes.has_shadow:
        what = f"writes={writes.name!r} needs coarse weights"
        remedy = "take arithmetic 'loihi', or writes='shadow'"
        raise UnsupportedError("agent.writes", what, got=f"arithmetic {name!r}", remedy=remedy)


class Writer:
    """Write changes into one agent's `Memory`, by a scheme other than shadow."""

    def __init__(
        self,
        plan: LearningPlan,
        arithmetic: Arithmetic,
        memory: Memory,
        seed: int,
    ) -> None:
        self._memory = memory
        self._arithmetic = arithmetic
        self._seed = seed
        self._scheme = plan.config.writes
        self._streams = {p.name: stream(plan.network, p.name) for p in plan.network.projections}
        self._places = {p.name: _places(plan, p) for layer in plan.layers for p in layer.into}

    def write(self, p: Plastic, change: FloatArray, ends: bool = False) -> None:
        """Let dw = *change* act on a projection's weights; 0 where it has no synapse.

        ends: see `neurorl.learning.learner.Learner.learn`; draws of its own, and no turn of
        `accumulate`.
        """
        change = self._arithmetic.masked(p.name, change)
        rounding = self._arithmetic.rounding(p.name)
        units = self._scheme.units(
            change,
            rounding.inverse,
            self._memory.accumulator.get(p.name),
            lambda x: self._drawn(p.name, x, ends),
            not ends and self._memory.decisions[0] % self._scheme.every == 0,
        )
        if units is not None:
            self._step(p, units)

    def _drawn(self, name: str, x: FloatArray, ends: bool) -> FloatArray:
        stream, now = self._streams[name] + ends * END, int(self._memory.decisions[0])
        places = self._places[name]
        if places is not None:
            return stochastic_round(x, uniforms_at(self._seed, stream, places, now))
        u = uniforms(self._seed, stream, x.size, now)
        return stochastic_round(x, u.reshape(x.shape))

    def _step(self, p: Plastic, quanta: FloatArray) -> None:
        rounding = self._arithmetic.rounding(p.name)
        w = self._memory.weights[p.name]
        least, largest = levels(rounding, p.low, p.high)
        n = np.clip(np.rint(w * rounding.inverse) + quanta, least, largest)
        w[...] = n * rounding.unit


def _places(plan: LearningPlan, p: Plastic) -> IntArray | None:
    """Return where the synapses of a list stand in a matrix, whose draws are theirs."""
    synapses = plan.network.synapses(p.name)
    return None if synapses is None else np.concatenate([at for _, at in synapses.chunks()])
