"""Sum what a window adds to the eligibilities of a projection, of replicas side by side.

For a window of W steps, with presynaptic traces x, arriving spikes a and post factors f::

    S = sum_t d**(W-1-t) (x(t) f(t)^T - g A a(t) y(t)^T)

the second term for rules that pair spikes: y is the neuron's own trace, g = 1 or what the rule
gates depression with. All sums are over numbers on a grid, so they are exact in any order.

Arrays of a window are ``(W, n_replicas * n)``, as rasters are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster
from neurorl.network.description import Network
from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import BoolArray, FloatArray, Int32Array
from neurorl.numerics.elementary import on_grid
from neurorl.rules.three_factor import outer_sum, window_traces

_GATHERED = 2**18
"""Gather at most this many numbers at once per side, so that they fit in a processor's cache."""


@dataclass(frozen=True, eq=False)
class SynapseGroup:
    """Hold those synapses of a sparse projection that have one delay.

    delay: in steps; 0 for a current. synapses: they alone. numbers: which of the projection's.
    """

    delay: int
    synapses: SynapseList
    numbers: slice | npt.NDArray[np.intp]

    @cached_property
    def pre(self) -> Int32Array:
        """Return the presynaptic neuron of each, ``(n,)``."""
        return self.synapses.pre

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
            left, right = by_pre[:, self.pre[part]], by_post[:, self.synapses.post[part]]
            np.einsum("rst,rst->rs", left, right, out=total[:, part])
        return total

    def add_arriving(self, x: FloatArray, w: FloatArray, into: FloatArray) -> None:
        """Add ``q_j += sum_i x_i w_ij``, in the order of the synapses, for each step.

        x: what arrives, ``(..., n_pre)``. w: of all synapses of the projection. into: ``(..., n)``.
        """
        for arrives, q in zip(np.atleast_2d(x), np.atleast_2d(into), strict=True):
            np.add.at(q, self.synapses.post, arrives[self.pre] * w[self.numbers])


def groups_by_delay(network: Network, name: str) -> tuple[SynapseGroup, ...]:
    """Return a sparse projection's synapses by their delay, the shortest first; none if dense."""
    synapses, delays = network.synapses(name), network.synapse_delays(name)
    if synapses is None:
        return ()
    if delays is None or not len(delays):
        return (SynapseGroup(network.delay_steps(name), synapses, slice(None)),)
    return tuple(SynapseGroup(int(d), *synapses.part(delays == d)) for d in np.unique(delays))


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


def depressing(
    spikes: BoolArray,
    before: FloatArray,
    decay: float,
    factors: FloatArray,
    gate: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    """Return what a spike that arrives at t takes off the eligibility at the window's end.

    before: the neurons' own traces, ``(..., n)``, which are also returned as the window leaves
    them. factors: ``A d**(W-1-t)``, ``(W,)``.
    """
    y = window_traces(spikes.astype(np.float64), decay, before.ravel())
    taken = on_grid(factors[:, None] * y)
    return taken if gate is None else on_grid(gate * taken), y[-1].reshape(before.shape)


def traces(arrived: Sequence[FloatArray], decay: float, before: FloatArray) -> list[FloatArray]:
    """Return presynaptic traces in all steps.

    arrived: for each delay of a projection. before: the traces before the window,
    ``(n_replicas, n_pre)``, or of several delays ``(n_replicas, n_delays, n_pre)``.
    """
    of_delays = before.reshape(len(before), len(arrived), -1)
    return [window_traces(a, decay, of_delays[:, d].ravel()) for d, a in enumerate(arrived)]


def tags(
    groups: Sequence[SynapseGroup],
    arrived: Sequence[FloatArray],
    x: Sequence[FloatArray],
    factors: FloatArray,
    taken: FloatArray | None,
    powers: FloatArray,
    shape: tuple[int, ...],
) -> FloatArray:
    """Return S of a projection's synapses, of *shape*, which has the replicas as its first axis.

    groups: of a sparse projection, by delay. arrived, x: spikes and `traces` for each delay.
    factors: f on the grid. taken: of `depressing`, None for rules that don't pair spikes. powers:
    ``d**(W-1-t)``, ``(W,)``.
    """
    if powers[0] != 1.0:
        x = [on_grid(powers[:, None] * one) for one in x]
    if not groups:
        tag = _dense(x[0], factors, shape)
        if taken is not None:
            tag -= _dense(arrived[0], taken, shape)
        return tag
    tag = np.empty(shape)
    for group, a, one in zip(groups, arrived, x, strict=True):
        total = group.sums(one, factors, shape[0])
        if taken is not None:
            total -= group.sums(a, taken, shape[0])
        tag[:, group.numbers] = total
    return tag


def _dense(x: FloatArray, f: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return ``sum_t x(t) f(t)^T``: replicas and blocks are blocks of one another's kind."""
    n_pre, n_post = shape[-2:]
    blocks = int(np.prod(shape[:-2]))
    inner = (n_pre, n_post) if blocks == 1 else (blocks, n_pre, n_post)
    return outer_sum(x, f, inner).reshape(shape)
