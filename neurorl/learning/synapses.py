"""Hold what the plastic synapses of a network remember, and bring it from window to window.

A window of W steps makes ``e <- d**W e + S`` of eligibilities, with S of `neurorl.learning.tags`,
in float arithmetic rounded as `neurorl.learning.levels` says.
Arrays of a sparse projection are ``(n_synapses,)``, in the order of `Network.synapses`, and no
other pairs are summed. Agents and `neurorl.Learning` remember by this, in NumPy or, where it is
large, in C++.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurorl.backends.base import Raster
from neurorl.learning.levels import Eligibility, remember
from neurorl.learning.plan import InputProjection, Layer
from neurorl.learning.tags import PostFactors, depressing, tags, traces
from neurorl.numerics.arrays import Array, FloatArray, zeros_on_lines
from neurorl.numerics.elementary import on_grid
from neurorl.rules.three_factor import arrivals, window_traces
from neurorl.storage.plain import PlainData

PASSING = ("eligibility", "trace", "post_trace", "last", "slow_trace")
"""Name the arrays that don't outlive an episode."""


@dataclass
class SynapseMemory:
    """Hold the arrays of replicas side by side: the first index of each is the replica's.

    By projection: ``weights`` that learn; ``eligibility`` of their shape, float32 where weights are
    levels (`neurorl.learning.levels`); ``trace`` ``(N, n_pre)``, or ``(N, n_delays, n_pre)`` if the
    synapses of a list have several delays.
    By `neurorl.learning.plan.Layer`: ``post_trace`` and, for a rule that names it, ``slow_trace``
    ``(N, n)``. By node: ``last`` ``(N, steps, n)``, its last spikes, the newest at the end, as many
    as a projection still has to deliver in the next window.
    """

    weights: dict[str, FloatArray]
    eligibility: dict[str, Eligibility]
    trace: dict[str, FloatArray] = field(default_factory=dict)
    post_trace: dict[str, FloatArray] = field(default_factory=dict)
    last: dict[str, Raster] = field(default_factory=dict)
    slow_trace: dict[str, FloatArray] = field(default_factory=dict)

    def forget(self) -> None:
        """Forget all but the weights."""
        for array in (array for of in PASSING for array in getattr(self, of).values()):
            array[...] = 0

    def slow(self, layer: Layer, raster: Raster) -> FloatArray:
        """Return the trace of a population's own spikes before each step, ``(W, N * n)``."""
        return self._slow(layer, raster) - raster

    def remember(
        self,
        layer: Layer,
        spikes: Mapping[str, Array],
        post: PostFactors,
        gate: FloatArray | None,
        arrived: Mapping[str, list[FloatArray]] | None = None,
        carries: bool = True,
    ) -> list[list[FloatArray]]:
        """Let eligibilities into a population take a window in.

        spikes: by node. gate: of depression, ``(N * n,)``, None for 1. arrived: of `arrived` by
        projection, if it was found before. carries: whether traces go on.
        Returns the traces in each step, by projection, for each delay.
        """
        constants, n_steps, taken = layer.constants, len(post.raster), None
        powers, held = constants.powers(n_steps), self.post_trace[layer.key]
        if layer.rule.pairs_spikes:
            pairs = constants.depression * powers
            taken, held[...] = depressing(post.raster, held, constants.post_decay, pairs, gate)
        x_of, factors, left = [], post.factors, constants.left(n_steps)
        for p in layer.into:
            came = arrived[p.name] if arrived else self.arrived(p, spikes[p.pre], n_steps)
            before, e = self.trace[p.name], self.eligibility[p.name]
            x = traces(came, p.trace_decay, before)
            if carries:
                last = np.stack([one[-1].reshape(len(before), -1) for one in x], axis=1)
                before[...] = last.reshape(before.shape)
            remember(e, left, tags(p.groups, came, x, factors, taken, powers, e.shape))
            x_of.append(x)
        return x_of

    def go_on(self, layer: Layer, raster: Raster) -> None:
        """Bring the slow trace of a population to the end of a window."""
        if layer.key in self.slow_trace:
            slow = self.slow_trace[layer.key]
            slow[...] = self._slow(layer, raster)[-1].reshape(slow.shape)

    def deliver(self, spikes: Mapping[str, Array]) -> None:
        """Keep the last spikes of a window, once all eligibilities have taken it in."""
        for pre, last in self.last.items():
            n, depth, size = last.shape
            if depth and spikes[pre].ndim == 2:
                new = spikes[pre].reshape(-1, n, size).transpose(1, 0, 2)
                last[...] = np.concatenate([last[:, new.shape[1] :], new[:, -depth:]], 1)[
                    :, -depth:
                ]

    def arrived(self, p: InputProjection, spikes: Array, n_steps: int) -> list[FloatArray]:
        """Return what arrives in a window, ``(W, N * n_pre)``, for each delay of a projection."""
        if p.current:  # on the grid, so that sums of products are exact
            return [p.transmitted(np.tile(on_grid(spikes), (n_steps, 1)))]
        last = self.last[p.pre]
        before = None
        if last.shape[1]:
            before = last.transpose(1, 0, 2).reshape(-1, spikes.shape[-1])
        return [p.transmitted(arrivals(spikes, delay, before)) for delay in p.delays]

    def _slow(self, layer: Layer, raster: Raster) -> FloatArray:
        spikes, before = raster.astype(np.float64), self.slow_trace[layer.key].ravel()
        return window_traces(spikes, layer.constants.slow_decay, before)


def empty(
    layers: Sequence[Layer],
    weights: dict[str, FloatArray],
    kind: type[np.floating[Any]],
    last: Mapping[str, tuple[int, int]],
) -> PlainData:
    """Return the arrays of `SynapseMemory` that remember nothing, by field.

    weights: of the projections that learn, ``(N, *shape)``, those of no layer too. kind: of
    eligibilities. last: by node, how many steps are kept of how many neurons.
    """
    n = len(next(iter(weights.values())))
    shapes = {p.name: p.trace_shape for layer in layers for p in layer.into}
    slow = [layer for layer in layers if layer.rule.names("slow")]
    return {
        "weights": weights,
        "eligibility": {x: zeros_on_lines(weights[x].shape, kind) for x in weights if x in shapes},
        "trace": {x: np.zeros((n, *shapes[x])) for x in weights if x in shapes},
        "post_trace": {layer.key: np.zeros((n, layer.size)) for layer in layers},
        "slow_trace": {layer.key: np.zeros((n, layer.size)) for layer in slow},
        "last": {name: np.zeros((n, *shape), dtype=bool) for name, shape in last.items()},
    }
