"""Compute membranes and spike probabilities from rasters and weights, which every backend has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Dynamics
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import exp

__all__ = ["membranes", "spike_probability"]


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
    met, _, is_dead = membranes(dynamics, drive, spikes, current)
    open_ = 1.0 / (1.0 + exp((dynamics.threshold - met) / dynamics.noise_width))
    return np.where(is_dead, 0.0, open_)


def membranes(
    dynamics: Dynamics,
    drive: FloatArray,
    spikes: npt.NDArray[np.bool_],
    current: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return membranes that meet the threshold, and those after a reset, and where a step is dead.

    From rest, given the spikes; arguments are those of `spike_probability`. Each is ``(W, n)``.
    """
    bias = dynamics.bias if current is None else dynamics.bias + current
    u = np.zeros(drive.shape[1])
    v = np.zeros(drive.shape[1])
    dead = np.zeros(drive.shape[1], dtype=np.int64)
    met, after = np.empty(drive.shape), np.empty(drive.shape)
    is_dead = np.empty(drive.shape, dtype=bool)
    for t in range(len(drive)):
        u = dynamics.current_decay * u + drive[t]
        is_dead[t] = dead > 0
        met[t] = np.where(is_dead[t], 0.0, dynamics.membrane_decay * v + u + bias)
        v = after[t] = np.where(spikes[t], 0.0, met[t])
        dead = np.where(spikes[t], dynamics.refractory_steps, np.maximum(dead - 1, 0))
    return met, after, is_dead
