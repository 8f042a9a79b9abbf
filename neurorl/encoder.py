"""From activations of cells to input spikes, as quietly as a binary signal allows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.described import FloatArray

__all__ = ["quiet_spikes"]


def quiet_spikes(activation: FloatArray, phase: FloatArray, n_steps: int) -> npt.NDArray[np.bool_]:
    """Accumulate and fire: ``phase += x`` in every step, a spike and -1 whenever it reaches 1.

    activation: ``(n,)`` in [0, 1]; a cell of 1 spikes in every step, one of 0 never.
    phase: ``(n,)`` in (0, 1), where the accumulators start. Returns a raster ``(n_steps, n)``.
    A cell spikes ``n_steps x`` times to within one: no sampling noise enters with the input.
    """
    steps = np.arange(n_steps + 1)[:, None]
    level = np.floor(phase + steps * activation)
    return np.asarray(level[1:] > level[:-1])
