"""Compute spike probabilities from rasters and weights: no backend needs to expose voltages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Dynamics
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import exp

__all__ = ["spike_probability"]


def spike_probability(
    dynamics: Dynamics,
    drive: FloatArray,
    spikes: npt.NDArray[np.bool_],
    current: FloatArray | None = None,
) -> FloatArray:
    """Return ``p(t) = sigmoid((v(t) - threshold) / noise_width)`` from rest, given the spikes.

    drive: the input q plus any signed offset, ``(W, n)``. spikes: raster ``(W, n)``, for the
    resets. current: into each neuron in every step, ``(n,)``, joins the bias.
    Returns ``(W, n)``, 0 in dead steps; needs noise_width > 0.
    """
    bias = dynamics.bias if current is None else dynamics.bias + current
    u = np.zeros(drive.shape[1])
    v = np.zeros(drive.shape[1])
    dead = np.zeros(drive.shape[1], dtype=np.int64)
    p = np.empty(drive.shape)
    for t in range(len(drive)):
        u = dynamics.current_decay * u + drive[t]
        v = np.where(dead > 0, 0.0, dynamics.membrane_decay * v + u + bias)
        open_ = 1.0 / (1.0 + exp((dynamics.threshold - v) / dynamics.noise_width))
        p[t] = np.where(dead > 0, 0.0, open_)
        v = np.where(spikes[t], 0.0, v)
        dead = np.where(spikes[t], dynamics.refractory_steps, np.maximum(dead - 1, 0))
    return p
