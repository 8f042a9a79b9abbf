"""Hold the state of short-term plasticity for NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.network.plasticity import RELEASE_GRID, TsodyksMarkram
from neurorl.numerics.arrays import FloatArray


class ShortTerm:
    """Hold what the presynaptic neurons of a projection release.

    u: facilitation, 0 at rest. used: the part of the resources that is used up, 1 - x; 0 at rest.
    release: of the last steps, newest last, what each neuron's spike released; 0 without a spike.
    """

    def __init__(self, described: TsodyksMarkram, size: int, depth: int, dt: float) -> None:
        self._described, self._decays = described, described.decays(dt)
        self.u, self.used = np.zeros(size), np.zeros(size)
        self.release = np.zeros((depth, size))

    def update(self, spikes: npt.NDArray[np.bool_]) -> None:
        """Advance a step at whose end these neurons spike."""
        self.release[:-1] = self.release[1:]
        u, used = self._decays[0] * self.u, self._decays[1] * self.used
        raised = u + self._described.U * (1.0 - u)
        released = raised * (1.0 - used)
        rounded = np.floor(released / RELEASE_GRID + 0.5) * RELEASE_GRID
        self.u[:] = np.where(spikes, raised, u)
        self.used[:] = np.where(spikes, used + released, used)
        self.release[-1] = np.where(spikes, rounded, 0.0)

    def variables(self) -> dict[str, FloatArray]:
        """Return the state by name, with neurons as the last axis."""
        return {"u": self.u, "used": self.used, "release": self.release}
