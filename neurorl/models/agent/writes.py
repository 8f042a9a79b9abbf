"""Choose where weights learn, and how changes dw are written into whole numbers n of a unit.

With u in (0, 1) drawn for the synapse and the decision, so that ``floor(x + u)`` has the mean x::

    shadow       w <- clip(w + dw), a float; in force is round(w)
    stochastic   n <- clip(n + floor(dw/unit + u))
    accumulate   a <- a + dw, a float; in every so many decisions
                 n <- clip(n + floor(a/unit + u)), a <- 0
    register     r <- r + floor(64 dw/unit + u), whole; q = trunc(r/64)
                 n <- clip(n + q), r <- r - 64 q

Without a shadow, the weight in force is ``w = n unit``. A register holds -63..63 between decisions,
7 bits with sign; the sum that overflows is wider, so that nothing of dw is lost.
A unit is ``weight_bound`` / 127, and stochastic rounding adds a variance of up to ``|dw| unit`` a
write: so keep the bound near the largest weight that is learned. docs/theory.md says what the
schemes cost; ``native/src/writes.h`` is the same in C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.models.agent.answers import Check, array, refused
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import Count, Range, flag, positive
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData


@dataclass(frozen=True, eq=False)
class Place(Part):
    """Name where weights learn; a backend lists its places in ``capabilities.learnings``.

    on_chip: whether the chip changes its weights itself.
    """

    attributes: ClassVar[Mapping[str, Check]] = {"on_chip": flag}
    on_chip: ClassVar[bool] = False
    _place = "agent.learning"

    def backend_options(self) -> PlainData:
        """Return the options that a backend needs for it."""
        return {}


@dataclass(frozen=True, eq=False)
class Host(Place, called="host"):
    """Learn on the host, which writes the weights to the backend."""


@dataclass(frozen=True, eq=False)
class OnChip(Place, called="pes"):
    """Learn on the chip by its rule PES (`neurorl.learning.loops.numpy`).

    The chip gets modulator times post factor, and has only the trace of inputs that the last window
    left, so ``lambda_actor`` must be 0.
    magnitude: what a spike adds to that trace, in (0, 127]. The larger it is, the smaller errors
        are, and the more coarsely rounded; the smaller it is, the sooner errors are clipped.
    """

    on_chip: ClassVar[bool] = True

    magnitude: Annotated[float, Range(0.0, 127.0)] = 20.0

    def backend_options(self) -> PlainData:
        return {"learning": self.name, "pes_magnitude": self.magnitude}


PLACES = Registry("learning", Place, Host, OnChip, compiled=False)
"""Map the name of each place of learning to its class."""


STEPS_OF_REGISTER = 64
Kept = FloatArray | None
Rounded = Callable[[FloatArray], FloatArray]


def _units(
    where: str, answer: object, _: object, change: FloatArray, *__: object, **___: object
) -> Any:
    if answer is None:
        return None
    units = array(where, answer, change.shape)
    if not np.array_equal(units, np.rint(units)):
        got = units[units != np.rint(units)].flat[0]
        raise refused(
            where, "answers a part of a unit", got, "whole numbers", "round it by rounded"
        )
    return units


@dataclass(frozen=True, eq=False)
class Writes(Part):
    """Write changes into weights that are whole numbers; derive schemes from this class.

    has_shadow: whether floats are learned, and a rounded copy of them is in force.
    accumulates: whether it keeps a number for each synapse until that is written.
    every: how many decisions there are from one write to the next.
    """

    answers: ClassVar[Mapping[str, Check]] = {"units": _units}
    attributes: ClassVar[Mapping[str, Check]] = {
        "has_shadow": flag,
        "accumulates": flag,
        "every": positive,
    }
    has_shadow: ClassVar[bool] = False
    accumulates: ClassVar[bool] = False
    every = 1
    _place = "agent.writes"

    def units(
        self, change: FloatArray, inverse: float, kept: Kept, rounded: Rounded, is_turn: bool
    ) -> FloatArray | None:
        """Return by how many units weights change now, whole numbers; None if they don't.

        change: dw, of the shape of the weights. inverse: 1 / unit. kept: the number for each
        synapse if it *accumulates*, written in place. rounded: rounds at random, with the same
        mean. is_turn: whether this decision is one of *every*. Schemes with a shadow aren't called.
        Raises UnsupportedError unless a scheme without a shadow defines it.
        """
        what, remedy = "doesn't say how weights change", "define units(), or take has_shadow = True"
        raise UnsupportedError(f"writes {self.name!r}", what, remedy=remedy)


@dataclass(frozen=True, eq=False)
class Shadow(Writes, called="shadow", kernel="shadow"):
    """Learn floats, and put them in force rounded: the only scheme in fine arithmetic."""

    has_shadow: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Stochastic(Writes, called="stochastic", kernel="stochastic"):
    """Round each change at random: nothing is kept beside the weights."""

    def units(
        self, change: FloatArray, inverse: float, kept: Kept, rounded: Rounded, is_turn: bool
    ) -> FloatArray | None:
        return rounded(change * inverse)


@dataclass(frozen=True, eq=False)
class Accumulate(Writes, called="accumulate", kernel="accumulate"):
    """Sum changes in floats, and round the sum at random after every so many decisions."""

    accumulates: ClassVar[bool] = True

    every: Count = 16

    def units(
        self, change: FloatArray, inverse: float, kept: Kept, rounded: Rounded, is_turn: bool
    ) -> FloatArray | None:
        assert kept is not None
        kept += change
        if not is_turn:
            return None
        units = rounded(kept * inverse)
        kept[...] = 0.0
        return units


@dataclass(frozen=True, eq=False)
class Register(Writes, called="register", kernel="register"):
    """Add changes up, rounded at random, in a register of 7 bits that overflows into the weight."""

    accumulates: ClassVar[bool] = True

    def units(
        self, change: FloatArray, inverse: float, kept: Kept, rounded: Rounded, is_turn: bool
    ) -> FloatArray | None:
        assert kept is not None
        units, kept[...] = overflow(kept + rounded(change * inverse * STEPS_OF_REGISTER))
        return units


WRITES = Registry("writes", Writes, Shadow, Stochastic, Accumulate, Register)
"""Map the name of each write scheme to its class; ``WRITES.register`` adds one."""


def overflow(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the whole units in a register and the rest: ``q = trunc(r/64)``, ``r - 64 q``."""
    units = np.trunc(r * (1.0 / STEPS_OF_REGISTER))
    return units, r - STEPS_OF_REGISTER * units
