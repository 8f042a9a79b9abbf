"""Compute the currents that flow from sources into populations: the same on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.backends.checks import Inputs
from neurorl.network.description import CURRENT_GRID, Network
from neurorl.numerics.arrays import FloatArray

__all__ = ["Currents"]


class Currents:
    """Hold the projections from sources of currents of *network*, all replicas as one.

    weights: by projection, what flows from a unit of activation 1. Exact in float64 in both
        arithmetics, and always the same arrays, as others may write to them.
    """

    def __init__(self, network: Network, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        self._size = {p.name: p.size for p in network.populations}
        projections = [p for p in network.projections if p.pre in network.currents]
        self.weights = {p.name: np.zeros(network.weight_shape(p.name)) for p in projections}
        self._into = {
            post: [(p.name, p.pre, p.blocks) for p in projections if p.post == post]
            for post in sorted({p.post for p in projections}, key=network.index)
        }
        self._lists = {
            p.name: s for p in projections if (s := network.synapses(p.name)) is not None
        }

    @property
    def entered(self) -> list[str]:
        """Return the populations into which currents flow."""
        return [*self._into]

    def write(self, name: str, rounded: FloatArray) -> None:
        """Set a projection's weights, rounded in the description's units."""
        self.weights[name][...] = self._arithmetic.transmitted(name, rounded)

    def into(self, inputs: Inputs) -> Iterator[tuple[str, FloatArray]]:
        """Yield each population and its ``c_j = sum_i x_i w_ij``, ``(size,)``.

        The sums are exact, whatever their order.
        """
        for post, projections in self._into.items():
            total = np.zeros(self._size[post])
            for name, pre, blocks in projections:
                x = np.rint(inputs[pre] * (1.0 / CURRENT_GRID)) * CURRENT_GRID
                if name in self._lists:
                    synapses = self._lists[name]
                    total += synapses.sums(x[synapses.pre] * self.weights[name])
                elif blocks == 1:
                    total += x @ self.weights[name]
                else:
                    total += (x.reshape(blocks, 1, -1) @ self.weights[name]).ravel()
            yield post, total
