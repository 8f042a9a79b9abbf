"""Sum over the steps of a window what the synapses of a list have at their two ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray

__all__ = ["SynapseGroup", "groups_by_delay"]

_GATHERED = 2**18
"""Gather at most this many numbers at once per side, so that they fit in a processor's cache."""


@dataclass(frozen=True, eq=False)
class SynapseGroup:
    """Hold those synapses of a sparse projection that have one delay.

    delay: in steps; 0 for a current. numbers: which of the projection's synapses they are.
    pre, post: their neurons, ``(n,)``, in the order of *pre*. n_pre: number of presynaptic neurons.
    """

    delay: int
    numbers: slice | npt.NDArray[np.intp]
    pre: npt.NDArray[np.int32]
    post: npt.NDArray[np.int32]
    n_pre: int

    @cached_property
    def start(self) -> npt.NDArray[np.int64]:
        """Return the number of each presynaptic neuron's first synapse, ``(n_pre + 1,)``."""
        return np.searchsorted(self.pre, np.arange(self.n_pre + 1))

    def sums(self, x: FloatArray, f: FloatArray, n_replicas: int = 1) -> FloatArray:
        """Return ``sum_t x_pre(t) f_post(t)`` of each synapse, ``(n_replicas, n)``, by no matrix.

        x: ``(W, n_replicas * n_pre)``. f: ``(W, n_replicas * n_post)``. It is exact, whatever the
        order, if both lie on the grid of `neurorl.numerics.elementary.on_grid`.
        """
        by_pre, by_post = (
            np.ascontiguousarray(side.T).reshape(n_replicas, -1, len(x)) for side in (x, f)
        )
        total = np.empty((n_replicas, len(self.pre)))
        size = max(1, _GATHERED // (len(x) * n_replicas))
        for first in range(0, len(self.pre), size):
            part = slice(first, first + size)
            left, right = by_pre[:, self.pre[part]], by_post[:, self.post[part]]
            np.einsum("rst,rst->rs", left, right, out=total[:, part])
        return total

    def add_arriving(self, x: FloatArray, w: FloatArray, into: FloatArray) -> None:
        """Add ``q_j += sum_i x_i w_ij``, in the order of the synapses, for each step.

        x: what arrives, ``(..., n_pre)``. w: of all synapses of the projection. into: ``(..., n)``.
        """
        for arrives, q in zip(np.atleast_2d(x), np.atleast_2d(into), strict=True):
            np.add.at(q, self.post, arrives[self.pre] * w[self.numbers])


def groups_by_delay(network: Network, name: str) -> tuple[SynapseGroup, ...]:
    """Return a sparse projection's synapses by their delay, the shortest first; none if dense."""
    synapses, delays = network.synapses(name), network.synapse_delays(name)
    if synapses is None:
        return ()
    pre, post = synapses.pre, synapses.post
    if delays is None or not len(delays):
        return (SynapseGroup(network.delay_steps(name), slice(None), pre, post, synapses.n_pre),)
    groups = []
    for delay in np.unique(delays):
        numbers = np.flatnonzero(delays == delay)
        group = SynapseGroup(int(delay), numbers, pre[numbers], post[numbers], synapses.n_pre)
        groups.append(group)
    return tuple(groups)
