"""How a change dw gets into weights that are whole numbers n of a coarse unit: four schemes.

With u in (0, 1) drawn for the synapse and the decision, so that ``floor(x + u)`` has the mean x::

    shadow       w <- clip(w + dw), a float; in force is round(w)
    stochastic   n <- clip(n + floor(dw/unit + u))
    accumulate   a <- a + dw, a float; every write_every decisions
                 n <- clip(n + floor(a/unit + u)), a <- 0
    register     r <- r + floor(64 dw/unit + u), whole; q = trunc(r/64)
                 n <- clip(n + q), r <- r - 64 q

Without a shadow, the weight is what is in force, ``w = n unit``. A register holds -63..63 between
decisions, 7 bits with sign; the sum in which it overflows is wider, as nothing of dw may be lost.
docs/theory.md says what they cost. ``native/src/writes.h`` is the same in C.
"""

from __future__ import annotations

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic, Rounding
from neurorl.errors import UnsupportedError, say
from neurorl.learning.memory import Memory
from neurorl.learning.plan import Plastic
from neurorl.models.config import AgentConfig
from neurorl.network.description import Network
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import Stream, uniforms

__all__ = [
    "STEPS_OF_REGISTER",
    "Writer",
    "check_writes",
    "levels",
    "overflow",
    "stochastic_round",
    "stream",
]

STEPS_OF_REGISTER = 64
END = Stream.WRITES_AT_ENDS - Stream.WRITES


def stochastic_round(x: FloatArray, u: FloatArray) -> FloatArray:
    """``floor(x + u)``: of mean x for u uniform in (0, 1), and 0 for x = 0. Any shape."""
    return np.asarray(np.floor(x + u))


def overflow(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The whole quanta in a register and what stays: ``q = trunc(r/64)``, ``r - 64 q``."""
    quanta = np.trunc(r * (1.0 / STEPS_OF_REGISTER))
    return quanta, r - STEPS_OF_REGISTER * quanta


def levels(rounding: Rounding, low: float, high: float) -> tuple[float, float]:
    """The least and the largest n of a weight in [low, high], rounded as a shadow's are."""
    ends = np.rint(np.array([low, high]) * rounding.inverse)
    least, largest = np.clip(ends, -rounding.limit, rounding.limit)
    return float(least), float(largest)


def stream(network: Network, name: str) -> int:
    """The stream of a projection's draws; their counters are synapse and decision."""
    return Stream.WRITES + [p.name for p in network.projections].index(name)


def check_writes(config: AgentConfig, arithmetic: Arithmetic, name: str) -> None:
    """Raises UnsupportedError for schemes without a shadow in fine arithmetic; *name* is its name.

    There, the weights in force learn themselves.
    """
    if config.writes != "shadow" and arithmetic.is_fine:
        what = f"writes={config.writes!r} needs coarse weights"
        remedy = "take arithmetic 'loihi', or writes='shadow'"
        raise UnsupportedError(say("agent.writes", what, got=f"arithmetic {name!r}", remedy=remedy))


class Writer:
    """Writes changes into one agent's `Memory`, by a scheme other than shadow."""

    def __init__(
        self,
        network: Network,
        arithmetic: Arithmetic,
        config: AgentConfig,
        memory: Memory,
        seed: int,
    ) -> None:
        self._memory = memory
        self._arithmetic = arithmetic
        self._seed = seed
        self._scheme = config.writes
        self._every = config.write_every
        self._streams = {p.name: stream(network, p.name) for p in network.projections}

    def write(self, p: Plastic, change: FloatArray, ends: bool = False) -> None:
        """Let dw = *change* act on a projection's weights; 0 where it has no synapse.

        ends: see `neurorl.learning.learner.Learner.learn`; draws of its own, and no turn of
        `accumulate`.
        """
        change = self._arithmetic.masked(p.name, change)
        rounding = self._arithmetic.rounding(p.name)
        if self._scheme == "stochastic":
            self._step(p, self._drawn(p.name, change * rounding.inverse, ends))
        elif self._scheme == "accumulate":
            a = self._memory.accumulator[p.name]
            a += change
            if not ends and self._memory.decisions[0] % self._every == 0:
                self._step(p, self._drawn(p.name, a * rounding.inverse, ends))
                a[...] = 0.0
        else:
            r = self._memory.accumulator[p.name]
            added = self._drawn(p.name, change * rounding.inverse * STEPS_OF_REGISTER, ends)
            quanta, r[...] = overflow(r + added)
            self._step(p, quanta)

    def _drawn(self, name: str, x: FloatArray, ends: bool) -> FloatArray:
        stream, now = self._streams[name] + ends * END, int(self._memory.decisions[0])
        u = uniforms(self._seed, stream, x.size, now)
        return stochastic_round(x, u.reshape(x.shape))

    def _step(self, p: Plastic, quanta: FloatArray) -> None:
        rounding = self._arithmetic.rounding(p.name)
        w = self._memory.weights[p.name]
        least, largest = levels(rounding, p.low, p.high)
        n = np.clip(np.rint(w * rounding.inverse) + quanta, least, largest)
        w[...] = n * rounding.unit
