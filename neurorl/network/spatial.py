"""Connect neurons the likelier the nearer they are: `GaussianDistance`, `ExponentialDistance`."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.network.connectors import Ends, FixedProbability, Seed, Sparse
from neurorl.network.plasticity import hits
from neurorl.network.serialization import LARGEST, Flag, Range, Share, frozen_array
from neurorl.network.synapse_list import SynapseList, listed
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.numerics.elementary import exp
from neurorl.numerics.random import Stream, uniforms_at

_TINIEST = 2.0**-100
_MOST_AXES = 3


@dataclass(frozen=True, eq=False)
class _ByDistance(Sparse):
    """Connect each pair of neurons independently, with a chance that falls with their distance."""

    scale: Annotated[float, Range(_TINIEST, LARGEST)]
    pre: Annotated[Any, _places]
    post: Any = None
    p: Share = 1.0
    period: Any = None
    autapses: Flag = True
    seed: Seed = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        if self.post is not None:
            object.__setattr__(self, "post", _places(f"{name}.post", self.post))
        n_axes = self.pre.shape[1]
        if self.post is not None and self.post.shape[1] != n_axes:
            what, got = "places of another dimension", self.post.shape
            raise DescriptionError(f"{name}.post", what, got=got, limit=(len(self.post), n_axes))
        if self.period is not None:
            period = frozen_array(f"{name}.period", self.period, None)
            if period.shape not in ((), (n_axes,)) or period.min() <= 0:
                limit = f"one number above 0, or {n_axes}"
                raise DescriptionError(f"{name}.period", "is no extent", got=period, limit=limit)
            object.__setattr__(self, "period", period if period.ndim else float(period))

    @abc.abstractmethod
    def share(self, distance: FloatArray) -> FloatArray:
        """Return the share of *p* at a distance, 0 to 1."""

    def counts(self, ends: Ends) -> tuple[int, int]:
        post = self.pre if self.post is None else self.post
        for end, places, size in (("pre", self.pre, ends.n_pre), ("post", post, ends.n_post)):
            if len(places) != size:
                what = f"one place for each {end}synaptic neuron"
                raise DescriptionError(ends.where, what, got=len(places), limit=size)
        return 0, FixedProbability(self.p).counts(ends)[1]

    def make(self, ends: Ends) -> SynapseList:
        """Return synapses drawn by *p*, of which each stays by a second draw."""
        pre, post = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        key, to = ends.seed(self.seed), self.pre if self.post is None else self.post
        for places in hits(key, ends.n_pre * ends.n_post, self.p):
            row, column = np.divmod(places, ends.n_post)
            share = self.share(self._far(row, column, to))
            kept = uniforms_at(key, Stream.PLACES, places, 0) < share
            if ends.is_loop and not self.autapses:
                kept &= row != column
            pre.append(row[kept].astype(np.int32))
            post.append(column[kept].astype(np.int32))
        return listed(np.concatenate(pre), np.concatenate(post), (ends.n_pre, ends.n_post))

    def _far(self, row: IntArray, column: IntArray, to: FloatArray) -> FloatArray:
        """Return the distances of pairs; squares are summed in the order of axes."""
        total = np.zeros(len(row))
        for axis in range(self.pre.shape[1]):
            off = np.abs(self.pre[row, axis] - to[column, axis])
            if self.period is not None:
                extent = float(np.broadcast_to(self.period, self.pre.shape[1])[axis])
                off = off - extent * np.floor(off / extent)
                off = np.minimum(off, extent - off)
            total += off * off
        return np.sqrt(total)


@dataclass(frozen=True, eq=False)
class GaussianDistance(_ByDistance):
    """Connect each pair with the chance ``p exp(-d**2 / (2 scale**2))`` at the distance d.

    scale: in the unit of places. pre, post: places of the neurons, ``(n,)`` or ``(n, axes)`` with 1
    to 3 axes; post None is those of *pre*. p: the chance at distance 0. period: extents of a space
    whose ends meet, one for all axes or one each; None for open ends. autapses: whether a neuron
    may connect to itself. seed: seed of the draws.
    """

    def share(self, distance: FloatArray) -> FloatArray:
        ratio = distance / self.scale
        return exp(-0.5 * (ratio * ratio))


@dataclass(frozen=True, eq=False)
class ExponentialDistance(_ByDistance):
    """Connect each pair with the chance ``p exp(-d / scale)``; fields as in `GaussianDistance`."""

    def share(self, distance: FloatArray) -> FloatArray:
        return exp(-(distance / self.scale))


def _places(where: str, value: Any) -> FloatArray:
    places = frozen_array(where, value, None)
    if places.ndim == 1:
        places = places[:, None]
    if places.ndim != 2 or not 1 <= places.shape[1] <= _MOST_AXES:
        limit = f"(n,), or (n, axes) with up to {_MOST_AXES} axes"
        raise DescriptionError(where, "are no places", got=places.shape, limit=limit)
    places.setflags(write=False)
    return places
