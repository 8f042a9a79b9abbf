"""Compute the three-factor rule by pure functions of arrays, without a simulator.

A synapse from *i* to *j* remembers ``e_ij``, how its activity led to the postsynaptic spikes; a
modulator that arrives later turns the memory into a change of the weight::

    x_i(t) = trace_decay x_i(t-1) + s_i(t - delay)              presynaptic trace
    e_ij(t) = decay e_ij(t-1) + x_i(t) f_j(t)                   eligibility, f the post factor
    dw_ij = eta M e_ij                                          M the modulator, e.g. the TD error

Weights don't change inside a window of W steps, so its part of the sum is one matrix product,
``(rows of x weighted by decay**(W-1-t))^T f``, which equals W times `eligibility`.

Suffixes as in rlax: ``_tm1`` is the step before, ``_t`` the step. Arrays of a window have steps on
their first axis. Source: the three-factor form of Fremaux & Gerstner 2016
(doi 10.3389/fncir.2015.00085), with the TD error as in arXiv:2005.05941.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.numerics.elementary import on_grid

Array = FloatArray


def trace(x_tm1: Array, arrived_t: npt.ArrayLike, decay: float) -> Array:
    """Return ``x_t = decay x_tm1 + arrived_t``, shape ``(n,)``."""
    return np.asarray(decay * x_tm1 + np.asarray(arrived_t, dtype=np.float64))


def eligibility(e_tm1: Array, x_t: Array, f_t: Array, decay: float) -> Array:
    """Return ``decay e_tm1 + x_t f_t``, ``(n_pre, n_post)``; x ``(n_pre,)``, f ``(n_post,)``."""
    return np.asarray(decay * e_tm1 + np.outer(x_t, f_t))


def arrivals(spikes: BoolArray | Array, delay: int, last: BoolArray | None = None) -> Array:
    """Return the raster of a window as it arrives *delay* steps later, ``(W, n)``.

    last: raster of the steps before, at least *delay* of them; None is silence.
    """
    arrived = np.zeros(spikes.shape)
    arrived[delay:] = spikes[: max(len(spikes) - delay, 0)]
    if last is not None:
        early = last[len(last) - delay :][: len(spikes)]
        arrived[: len(early)] = early
    return arrived


def window_traces(arrived: Array, decay: float, x_0: Array | None = None) -> Array:
    """Return `trace` for all steps of a window, with decayed traces rounded to a grid.

    ``x(t) = grid(decay x(t-1)) + arrived(t)``, see `neurorl.numerics.elementary.on_grid`.
    arrived: ``(W, n)``. decay: in [0, 1]. x_0: trace before the window, ``(n,)``; None is 0.
    Returns ``(W, n)``; the last row is the next window's x_0.
    """
    if arrived.ndim != 2:
        raise ArgumentError("window_traces", "needs (steps, neurons)", got=arrived.shape)
    if decay == 0.0:
        return arrived
    x = np.array(arrived, dtype=np.float64)
    before = np.zeros(x.shape[1]) if x_0 is None else x_0
    for row in x:
        row += on_grid(decay * before)
        before = row
    return x


def outer_sum(x: Array, f: Array, shape: tuple[int, ...]) -> Array:
    """Return ``sum_t x(t) f(t)^T`` in the shape of a projection's weights.

    Raises ArgumentError if shapes don't fit.
    """
    n_steps = len(x)
    if len(f) != n_steps or (x.shape[1] * f.shape[1]) != np.prod(shape) * (
        shape[0] if len(shape) == 3 else 1
    ):
        raise ArgumentError("outer_sum", "shapes don't fit", got=(x.shape, f.shape), limit=shape)
    if len(shape) == 2:
        return np.asarray(x.T @ f)
    blocks, n_pre, n_post = shape
    left = x.reshape(n_steps, blocks, n_pre).transpose(1, 2, 0)
    right = f.reshape(n_steps, blocks, n_post).transpose(1, 0, 2)
    return np.asarray(left @ right)


def apply_modulator(
    weights: Array, e: Array, modulator: float | Array, eta: float, low: float, high: float
) -> Array:
    """Return the new weights, ``clip(w + eta M e, low, high)``; M of any shape that fits."""
    return np.asarray(np.clip(weights + (eta * modulator) * e, low, high))


def td_error(r_t: float, discount_t: float, v_tm1: float, v_t: float) -> float:
    """Return ``r_t + discount_t v_t - v_tm1``; the discount is gamma, 0 after a terminal state.

    A truncated episode is not terminal: its last state keeps its value (gamma).
    """
    return r_t + discount_t * v_t - v_tm1
