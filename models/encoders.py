"""From activations of cells to input spikes, or to currents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.network.description import CURRENT_GRID
from neurorl.network.serialization import FloatArray

__all__ = ["ENCODERS", "bernoulli_spikes", "constant_currents", "quiet_spikes"]

ENCODERS = ("quiet", "bernoulli", "current")


def constant_currents(activation: FloatArray) -> FloatArray:
    """``rint(256 x) / 256``: what flows from each cell in every step of a window.

    activation: ``(n,)`` in [0, 1]. The host computes what its product with the weights adds to the
    neurons' biases, once for a window; nothing is sampled, and no spike enters the network.
    """
    return np.asarray(np.rint(activation * (1.0 / CURRENT_GRID)) * CURRENT_GRID)


def quiet_spikes(activation: FloatArray, phase: FloatArray, n_steps: int) -> npt.NDArray[np.bool_]:
    """Accumulate and fire: ``phase += x`` in every step, a spike and -1 whenever it reaches 1.

    activation: ``(n,)`` in [0, 1]; a cell of 1 spikes in every step, one of 0 never.
    phase: ``(n,)`` in (0, 1), where the accumulators start. Returns a raster ``(n_steps, n)``.
    A cell spikes ``n_steps x`` times to within one: no sampling noise enters with the input.
    """
    steps = np.arange(n_steps + 1)[:, None]
    level = np.floor(phase + steps * activation)
    return np.asarray(level[1:] > level[:-1])


def bernoulli_spikes(activation: FloatArray, u: FloatArray) -> npt.NDArray[np.bool_]:
    """A spike with probability x in every step: ``u < x``.

    activation: ``(n,)`` in [0, 1]. u: draws in (0, 1), ``(n_steps, n)``, the shape of the raster.
    """
    return np.asarray(u < activation)
