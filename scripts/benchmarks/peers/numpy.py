"""Run the workload in plain NumPy: the readable definition, and the cost of a user's script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.bench.workload import (
    BOUND,
    ELIGIBILITY,
    MEMBRANE,
    MINUS,
    PLUS,
    RATE,
    STEPS,
    THRESHOLD,
    TRACE,
    BenchLoop,
    Size,
    agent_loop,
    initial_weights,
)

_Array = npt.NDArray[np.float32]


def make(size: Size, replicas: int) -> BenchLoop:
    """Return the loop around a `NumpyAgent`."""
    return agent_loop(NumpyAgent(size, replicas), size, replicas, engine="numpy")


class _Layer:
    """Hold a projection and the neurons that it reaches; arrays ``(*batch, n_pre[, n_post])``."""

    def __init__(self, weights: _Array, mean: float, batch: tuple[int, ...]) -> None:
        n_pre, n_post = weights.shape
        self.w = np.broadcast_to(weights, (*batch, n_pre, n_post)).copy()
        self.rate, self.bound = RATE * mean, BOUND * mean
        self.e, self._work = np.zeros_like(self.w), np.zeros_like(self.w)
        self.x = np.zeros((*batch, n_pre), dtype=np.float32)
        self.v, self.y = (np.zeros((*batch, n_post), dtype=np.float32) for _ in range(2))

    def step(self, arrived: _Array) -> _Array:
        """Step once; return spikes ``(*batch, n_post)``."""
        self.v *= MEMBRANE
        self.v += np.matmul(arrived[..., None, :], self.w)[..., 0, :]
        fired = self.v > THRESHOLD
        self.v[fired] = 0
        spikes = fired.astype(np.float32)
        self.x *= TRACE
        self.x += arrived
        self.y *= TRACE
        self.y += spikes
        self._remember(arrived, spikes)
        return spikes

    def _remember(self, arrived: _Array, spikes: _Array) -> None:
        self.e *= ELIGIBILITY
        np.multiply(self.x[..., :, None], (PLUS * spikes)[..., None, :], out=self._work)
        self.e += self._work
        where = arrived.nonzero()  # few arrive, so only their rows
        self.e[where] -= MINUS * self.y[where[:-1]]

    def learn(self, m: _Array) -> None:
        np.multiply(self.e, np.float32(self.rate) * m[..., None, None], out=self._work)
        self.w += self._work
        np.clip(self.w, -self.bound, self.bound, out=self.w)


class NumpyAgent:
    """Run an `Agent`, vectorised over neurons, synapses and replicas.

    With one replica the arrays have no axis for it; see `hidden` and `output`.
    """

    def __init__(self, size: Size, replicas: int = 1) -> None:
        self._batch = () if replicas == 1 else (replicas,)
        w1, w2 = initial_weights(size)
        self.hidden = _Layer(w1, size.hidden_mean, self._batch)
        self.output = _Layer(w2, size.output_mean, self._batch)
        self._in_flight = [
            np.zeros((*self._batch, n), dtype=np.float32) for n in (size.inputs, size.hidden)
        ]
        self._rng = np.random.default_rng(7)
        self._shape = (STEPS, replicas, size.inputs)

    def step(self, p: _Array, raster: npt.NDArray[np.uint8] | None = None) -> _Array:
        """See `Agent`; raster: ``(replicas, STEPS, inputs)`` to be played instead of draws."""
        if raster is None:
            drawn = (self._rng.random(self._shape, np.float32) < p).astype(np.float32)
        else:
            drawn = raster.astype(np.float32).swapaxes(0, 1)
        inputs = drawn if self._batch else drawn[:, 0]
        counts = np.zeros_like(self.output.v)
        from_input, from_hidden = self._in_flight
        for spikes in inputs:
            hidden = self.hidden.step(from_input)
            counts += self.output.step(from_hidden)
            from_input, from_hidden = spikes, hidden
        self._in_flight = [from_input, from_hidden]
        return counts

    def learn(self, m: Any) -> None:
        modulator = np.asarray(m, dtype=np.float32)
        for layer in (self.hidden, self.output):
            layer.learn(modulator)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        where: Any = ... if replicas is None or not self._batch else list(replicas)
        for layer in (self.hidden, self.output):
            for array in (layer.v, layer.x, layer.y, layer.e):
                array[where] = 0
        for k, spikes in enumerate(self._in_flight):
            self._in_flight[k] = spikes.copy()  # it may be a view of the window's draws
            self._in_flight[k][where] = 0
