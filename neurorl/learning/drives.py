"""Find what arrives at neurons from rasters and weights, of replicas side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.learning.plan import InputProjection, Plastic
from neurorl.numerics.arrays import FloatArray

__all__ = ["add_arriving", "add_flow", "summed_arrivals"]


def add_arriving(
    p: InputProjection, arrived: Sequence[FloatArray], weights: FloatArray, into: FloatArray
) -> None:
    """Add what a projection's spikes do in each step to *into*, ``(W, n_replicas * n)``.

    arrived: for each delay, ``(W, n_replicas * n_pre)``. weights: in force, with the replicas as
    their first index. On a grid, sums are exact in any order.
    """
    n = len(weights)
    for group, x in zip(p.groups, arrived, strict=False):
        for k in range(n):
            mine, theirs = (np.split(side, n, axis=1)[k] for side in (x, into))
            group.add_arriving(mine, weights[k], theirs)
    if p.groups:
        return
    (x,) = arrived
    if weights.ndim == 3 and n == 1:
        into += x @ weights[0]
        return
    blocks = weights.reshape(-1, *weights.shape[-2:])
    into += (x.reshape(len(x), len(blocks), 1, -1) @ blocks).reshape(into.shape)


def summed_arrivals(p: Plastic, first: int, arrived: dict[str, list[FloatArray]]) -> FloatArray:
    """Return ``sum_t x(t)`` from the step *first* on, from silence, without rounding of traces."""
    (a,) = arrived[p.name]  # as no lists of synapses learn on a chip
    steps = np.arange(len(a))
    since = np.maximum(first - steps, 0)  # steps until the trace begins to count
    left = len(a) - np.maximum(first, steps)  # and that it does
    kept = p.trace_decay**since
    kept *= (1 - p.trace_decay**left) / (1 - p.trace_decay) if p.trace_decay < 1 else left
    return np.asarray((kept[:, None] * a).sum(axis=0))


def add_flow(p: InputProjection, x: FloatArray, w: FloatArray, current: FloatArray) -> None:
    """Add ``c_j += x_i w_ij`` in the order of i, as weights of a chip are on no grid of float64."""
    for group in p.groups:
        group.add_arriving(x, w, current)
    if p.groups:
        return
    blocks = w.reshape(-1, *w.shape[-2:])
    into = current.reshape(len(blocks), -1)
    columns = x.reshape(len(blocks), -1)
    for i in range(columns.shape[1]):
        into += columns[:, i, None] * blocks[:, i]
