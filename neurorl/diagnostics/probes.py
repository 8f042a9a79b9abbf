"""Measure what one population of one agent does: its spikes and the weights into it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network, Population, Projection
from neurorl.numerics.arrays import FloatArray

_AT_BOUND = 0.01  # share of the range: chip arithmetic may stop one quantum before a bound


class Site:
    """Measure one population of one agent.

    chances: neuron-steps of a window in which input can have arrived.
    """

    def __init__(
        self, network: Network, population: Population, config: AgentConfig, replica: int
    ) -> None:
        name, size = population.name, population.size
        self.name, self.population = name, population
        first = 0 if config.carries else min(network.depth(name), config.window - 1)
        self._neurons = slice(first, None), slice(replica * size, (replica + 1) * size)
        self._raster: npt.NDArray[np.bool_] | None = None
        self.chances = (config.window - first) * size
        dead_steps = population.plan(network.dt).refractory_steps
        self.ceiling = float(np.mean(1.0 / (1.0 + dead_steps)))
        self._into = [
            _Synapses(p) for p in network.projections if p.post == name and p.plasticity is not None
        ]
        self.acts = name in _leading_to_output(network)
        sizes = [int(np.prod(network.weight_shape(s.name))) for s in self._into]
        bounds = sum(s.bound * n for s, n in zip(self._into, sizes, strict=True))
        self.bound = bounds / max(sum(sizes), 1)

    def count(self, rasters: Mapping[str, npt.NDArray[np.bool_]]) -> int:
        raster = rasters[self.name]
        if raster is not self._raster:  # mostly the same array
            self._raster, self._own = raster, raster[self._neurons]
        return int(np.count_nonzero(self._own))

    def mean_abs(self, weights: Mapping[str, FloatArray]) -> float | None:
        """Return the mean |w| of its plastic input weights; None if none learns."""
        plastic = [synapses.of(weights) for synapses in self._into]
        n = sum(w.size for w in plastic)
        return sum(float(np.abs(w).sum()) for w in plastic) / n if n else None

    def at_bounds(self, weights: Mapping[str, FloatArray]) -> float | None:
        """Return the share of its plastic input weights at their bounds; None if none learns."""
        n = sum(synapses.of(weights).size for synapses in self._into)
        return sum(synapses.at_bounds(weights) for synapses in self._into) / n if n else None


class _Synapses:
    """Hold a plastic projection, and the values from which its weights count as at a bound."""

    def __init__(self, p: Projection) -> None:
        assert p.plasticity is not None
        low, high = p.plasticity.low, p.plasticity.high
        margin = _AT_BOUND * (high - low)
        self.name, self.mask = p.name, p.mask
        self.low = low + margin if low else -math.inf
        self.high = high - margin if high else math.inf
        self.bound = max(abs(low), abs(high))

    def of(self, weights: Mapping[str, FloatArray]) -> FloatArray:
        w = weights[self.name]
        return w if self.mask is None else w[self.mask]

    def at_bounds(self, weights: Mapping[str, FloatArray]) -> int:
        w = self.of(weights)
        if w.size == 0 or (w.min() > self.low and w.max() < self.high):
            return 0
        return int(np.count_nonzero((w <= self.low) | (w >= self.high)))


def _leading_to_output(network: Network) -> set[str]:
    leading = {"output"}
    for _ in network.nodes:
        leading |= {p.pre for p in network.projections if p.post in leading}
    return leading
