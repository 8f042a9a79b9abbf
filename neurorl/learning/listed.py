"""Let eligibilities take a window in by compiled code, with NumPy's bits: of lists, and dense."""

from __future__ import annotations

import ctypes
import functools
import math
from dataclasses import dataclass

import numpy as np

from neurorl.backends.base import Raster
from neurorl.learning.levels import Levels
from neurorl.learning.plan import Plastic
from neurorl.learning.synapse_groups import AllPairs, SynapseGroup
from neurorl.native import toolchain
from neurorl.native.listed import LONGEST, ListedWindow, library
from neurorl.numerics.arrays import Array, FloatArray

__all__ = ["Depression", "PostFactors", "is_compiled", "reinforce", "remember"]

WORTH = 20_000
"""Tell from how many synapses on compiled code is worth its compiler's seconds."""


@dataclass(frozen=True)
class PostFactors:
    """Hold what multiplies presynaptic traces in a window.

    raster: the neurons' spikes. numbers: for each spike ``(n,)`` if *is_gain*, else of each step
    ``(W, n)``; on the grid.
    """

    raster: Raster
    numbers: FloatArray
    is_gain: bool

    @property
    def factors(self) -> FloatArray:
        """Return the factor of each step, ``(W, n)``."""
        return np.where(self.raster, self.numbers, 0.0) if self.is_gain else self.numbers

    def of(self, k: int, n_replicas: int) -> PostFactors:
        """Return those of a replica, of several side by side."""
        n = self.numbers.shape[-1] // n_replicas
        mine = slice(k * n, (k + 1) * n)
        return PostFactors(self.raster[:, mine], self.numbers[..., mine], self.is_gain)


@dataclass(frozen=True)
class Depression:
    """Say how arriving spikes depress: by a neuron's trace from before the window, times A.

    gate: what it is multiplied with, ``(n,)`` on the grid; None for 1.
    """

    decay: float
    strength: float
    trace: FloatArray
    gate: FloatArray | None


def is_compiled(p: Plastic, n_steps: int) -> bool:
    """Return whether `remember` can and should do a projection's windows of *n_steps*."""
    fits = not p.current and not p.signed and n_steps <= LONGEST
    return math.prod(p.shape) >= WORTH and fits and _has_compiler()


def remember(
    group: SynapseGroup | AllPairs,
    spikes: Raster,
    last: Raster,
    post: PostFactors,
    powers: FloatArray,
    trace: FloatArray,
    decay: float,
    depression: Depression | None,
    eligibility: Array,
    keep: float,
) -> FloatArray | None:
    """Let the eligibilities of one delay's synapses take a window in; *trace* goes on.

    spikes, post: of the window. last: rasters of the steps before, at least as many as the delay.
    powers: what is left at the end of what each step adds. eligibility: of the whole projection.
    Returns the neurons' own traces after the window if they depress.
    """
    n_steps, n_pre = spikes.shape
    n_post = post.raster.shape[1]
    spikes, post_spikes = _in_rows(spikes), _in_rows(post.raster)
    before = np.ascontiguousarray(last[len(last) - group.delay :])
    is_dense = isinstance(group, AllPairs)
    by_step = post.numbers if is_dense else post.numbers.T
    factors = None if post.is_gain else np.ascontiguousarray(by_step)
    after = None if depression is None else depression.trace.copy()
    arrays: dict[str, Array | None] = {
        "start": group.start,
        "row": group.row,
        "numbers": None if isinstance(group.numbers, slice) else group.numbers,
        "post": group.post,
        "spikes": spikes,
        "last": before,
        "post_spikes": post_spikes,
        "trace": trace,
        "post_trace": after,
        "powers": powers,
        "gain": post.numbers if post.is_gain else None,
        "factors": factors,
        "gate": None if depression is None else depression.gate,
        "eligibility": eligibility,
        "down": None if depression is None else group.down,
    }
    window = ListedWindow(
        n_pre=n_pre,
        n_post=n_post,
        steps=n_steps,
        delay=group.delay,
        pre_stride=spikes.strides[0],
        post_stride=post_spikes.strides[0],
        pairs=depression is not None,
        is_single=eligibility.dtype == np.float32,
        is_dense=is_dense,
        decay=decay,
        post_decay=0.0 if depression is None else depression.decay,
        depression=0.0 if depression is None else depression.strength,
        keep=keep,
        **{name: None if a is None else a.ctypes.data for name, a in arrays.items()},
    )
    library().neurorl_listed_window(ctypes.byref(window))
    return after


def reinforce(weights: FloatArray, e: Array, levels: Levels, step: float) -> None:
    """Change weights on levels by eta M = *step* where they are, as `Levels.changed` does.

    weights, e: of one shape, float64 and float32, in C order.
    """
    library().neurorl_listed_reinforce(
        weights.size,
        weights.ctypes.data,
        e.ctypes.data,
        float(levels.factor(step)),
        levels.unit,
        levels.least,
        levels.largest,
    )


def _in_rows(raster: Raster) -> Raster:
    """Return a raster whose columns are side by side, a copy if need be."""
    return raster if raster.strides[1] == 1 else np.ascontiguousarray(raster)


@functools.cache
def _has_compiler() -> bool:
    return toolchain.problem() is None
