"""Simulate sPyNNaker's neuromodulated STDP in NumPy, in floating point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurorl.spinnaker import NeuromodulatedStdp


def weights_after(
    constants: NeuromodulatedStdp,
    weights: Any,
    pre: Any,
    post: Any,
    dopamine: dict[int, float],
    ms: float = 1.0,
) -> Any:
    """Return weights ``(n_pre, n_post)`` after rasters ``(steps, n)`` of what arrives and spikes.

    dopamine: by step, what D rises by. Between events of a step, C and D decay and w grows by the
    integral of their product, as its C code does from event to event.
    """
    k = constants
    w = np.array(weights, dtype=float)
    c, d = np.zeros_like(w), 0.0
    x, y = np.zeros(pre.shape[1]), np.zeros(post.shape[1])
    for step, (before, after) in enumerate(zip(pre, post, strict=True)):
        c_kept, d_kept = math.exp(-ms / k.tau_c), math.exp(-ms / k.tau_d)
        w = np.clip(w + c * d * (1 - c_kept * d_kept) * k.tau, k.w_min, k.w_max)
        c, d = c * c_kept, d * d_kept
        x, y = x * math.exp(-ms / k.tau_plus), y * math.exp(-ms / k.tau_minus)
        c += k.A_plus * np.outer(x, after)  # a pair of one step doesn't count
        c = np.clip(c - k.A_minus * np.outer(before, y), 0.0, k.c_max)
        x, y = x + before, y + after
        d += dopamine.get(step, 0.0)
    return w
