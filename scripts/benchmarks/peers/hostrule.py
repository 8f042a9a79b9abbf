"""Compute the workload's rule on the host, from a window's rasters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.bench.workload import BOUND, ELIGIBILITY, MINUS, PLUS, RATE, TRACE, Size
from neurorl.rules.three_factor import window_traces

_Array = npt.NDArray[np.float64]
_Raster = npt.NDArray[np.bool_]


class HostRule:
    """Hold both layers' weights and memory; learn a window at a time, by matrix products.

    w1 ``(inputs, hidden)``, w2 ``(hidden, outputs)``: initial weights, updated in place.
    """

    def __init__(self, size: Size, w1: _Array, w2: _Array) -> None:
        self._layers = [_Layer(w1, size.hidden_mean), _Layer(w2, size.output_mean)]

    @property
    def weights(self) -> tuple[_Array, _Array]:
        """Return the weights now, ``(inputs, hidden)`` and ``(hidden, outputs)``."""
        return self._layers[0].w, self._layers[1].w

    def remember(self, inputs: _Raster, hidden: _Raster, outputs: _Raster) -> None:
        """Add a window to the eligibilities; rasters ``(STEPS, neurons)``."""
        spikes = [x.astype(np.float64) for x in (inputs, hidden, outputs)]
        for layer, pre, post in zip(self._layers, spikes, spikes[1:], strict=False):
            layer.remember(pre, post)

    def learn(self, m: float) -> None:
        for layer in self._layers:
            layer.learn(m)

    def reset(self) -> None:
        for layer in self._layers:
            for array in (layer.e, layer.x, layer.y, layer.in_flight):
                array[:] = 0.0


class _Layer:
    """Compute ``e <- d^T e + sum_t d^(T-1-t) (PLUS x post - MINUS arrived y)`` of a projection."""

    def __init__(self, w: _Array, mean: float) -> None:
        self.w, self.e = w, np.zeros_like(w)
        self.x, self.y = np.zeros(w.shape[0]), np.zeros(w.shape[1])
        self.in_flight = np.zeros(w.shape[0])
        self._rate, self._bound = RATE * mean, BOUND * mean

    def remember(self, pre: _Array, post: _Array) -> None:
        n_steps = len(pre)
        arrived = np.concatenate([self.in_flight[None], pre[:-1]])
        x = window_traces(arrived, TRACE, self.x)
        y = window_traces(post, TRACE, self.y)
        left = ELIGIBILITY ** np.arange(n_steps - 1, -1, -1.0)[:, None]
        self.e *= ELIGIBILITY**n_steps
        self.e += (PLUS * left * x).T @ post - (MINUS * left * arrived).T @ y
        self.x, self.y, self.in_flight = x[-1].copy(), y[-1].copy(), pre[-1].copy()

    def learn(self, m: float) -> None:
        self.w += (self._rate * m) * self.e
        np.clip(self.w, -self._bound, self._bound, out=self.w)
