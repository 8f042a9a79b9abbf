"""Describe how weights begin, that they learn, and how much a spike releases after others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.network.serialization import Described, NotNegative, Number, number
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import decay


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

    def released(self, spikes: npt.NDArray[np.bool_], dt: float) -> FloatArray:
        """Return how much each spike of a raster ``(W, n)`` releases, from rest."""
        decays, u, used = self.decays(dt), np.zeros(spikes.shape[1]), np.zeros(spikes.shape[1])
        rows = np.empty(spikes.shape)
        for row, now in zip(rows, spikes, strict=True):
            u, used, row[:] = self.step(decays, u, used, now)
        return rows

    def step(
        self,
        decays: tuple[float, float],
        u: FloatArray,
        used: FloatArray,
        spikes: npt.NDArray[np.bool_],
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return u and 1 - x after a step that ends with *spikes*, and how much these release.

        decays: result of `decays`. u, used: u and 1 - x before the step, one for each neuron.
        """
        u, used = decays[0] * u, decays[1] * used
        raised = u + self.U * (1.0 - u)
        released = raised * (1.0 - used)
        rounded = np.floor(released / RELEASE_GRID + 0.5) * RELEASE_GRID
        after = np.where(spikes, raised, u), np.where(spikes, used + released, used)
        return *after, np.where(spikes, rounded, 0.0)
