"""Describe the part of a network that one of several processes holds: synapses onto its neurons.

Neuron i of every population is process ``i % n``'s. A part has all nodes, and of each projection
the list of synapses onto its own neurons, with the weights and delays that they have in the whole,
since each draw is keyed by the synapse's place alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.network.between import Between
from neurorl.network.connectors import (
    Connector,
    Ends,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    Sparse,
    Synapses,
)
from neurorl.network.description import Network, Projection, Uniform
from neurorl.network.plasticity import Normal, hits, most_steps
from neurorl.network.synapse_list import SynapseList, listed
from neurorl.numerics.random import Stream, uniforms_at

__all__ = ["Part", "longest_delays", "part_of"]

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part(Sparse):
    """Have the synapses of another connector onto the neurons of process *rank* of *n*.

    No more are drawn where the connector is of a fixed in-degree; of other random ones all are
    drawn, some at a time, and the own ones kept.
    """

    of: Connector
    rank: int
    n: int

    @property
    def seed(self) -> int:
        """Return the seed of the whole's draws, such as of delays."""
        return int(getattr(self.of, "seed", 0))

    def counts(self, ends: Ends) -> tuple[int, int]:
        assert isinstance(self.of, Sparse)
        counts = self.of.counts(ends)
        if not isinstance(self.of, FixedInDegree):
            return 0, counts[1]
        own = len(range(self.rank, ends.n_post, self.n))
        return (own * self.of.n,) * 2

    def make(self, ends: Ends) -> SynapseList:
        assert isinstance(self.of, Sparse)
        for kind, drawn in _DRAWN.items():
            if isinstance(self.of, kind):
                return _sorted([*drawn(self, ends)], ends)
        whole = self.of.make(ends)
        return whole.part(whole.post % self.n == self.rank)[0]


def _in_degree(part: Part, ends: Ends) -> Iterator[Places]:
    assert isinstance(part.of, FixedInDegree)
    for own, chosen in part.of.drawn(ends, slice(part.rank, None, part.n)):
        yield (chosen * ends.n_post + own).ravel()


def _out_degree(part: Part, ends: Ends) -> Iterator[Places]:
    assert isinstance(part.of, FixedOutDegree)
    for own, chosen in part.of.drawn(ends):
        yield (own * ends.n_post + chosen)[chosen % part.n == part.rank]


def _probability(part: Part, ends: Ends) -> Iterator[Places]:
    of = part.of
    assert isinstance(of, FixedProbability)
    width = ends.n_post - (ends.is_loop and not of.autapses)
    for places in hits(ends.seed(of.seed), ends.n_pre * width, of.p):
        row, column = np.divmod(places, width)
        if width < ends.n_post:
            column += column >= row
        yield (row * ends.n_post + column)[column % part.n == part.rank]


_DRAWN: dict[type[Sparse], Callable[[Part, Ends], Iterator[Places]]] = {
    FixedInDegree: _in_degree,
    FixedOutDegree: _out_degree,
    FixedProbability: _probability,
}


def _sorted(chunks: list[Places], ends: Ends) -> SynapseList:
    """Return the synapses of places in a matrix, in a list's order."""
    places = np.empty(sum(map(len, chunks)), np.int64)
    end = 0
    while chunks:
        chunk = chunks.pop()  # so that it is let go of
        places[end : end + len(chunk)] = chunk
        end += len(chunk)
    places.sort()
    post = np.empty(len(places), np.int32)
    np.remainder(places, ends.n_post, out=post, casting="unsafe")
    places //= ends.n_post
    return listed(places, post, (ends.n_pre, ends.n_post))


def longest_delays(network: Network) -> dict[str, int]:
    """Return for each node the most steps that any process may need its spikes, without drawing."""
    depths = {node.name: 1 for node in network.nodes}
    for p in network.projections:
        if p.pre not in network.analog:
            is_drawn = isinstance(p.delay, (Uniform, Normal))
            steps = most_steps(p.delay, network.dt) if is_drawn else network.delay_steps(p.name)
            depths[p.pre] = max(depths[p.pre], steps)
    return depths


def part_of(network: Network, rank: int, n: int, seed: int) -> Network:
    """Return the part of process *rank* of *n*; *seed* draws weights of blocks."""
    projections = tuple(_part_of(network, p, rank, n, seed) for p in network.projections)
    return dataclasses.replace(network, projections=projections)


def _part_of(network: Network, p: Projection, rank: int, n: int, seed: int) -> Projection:
    values = [x for x in (p.weights, p.delay) if isinstance(x, np.ndarray) and x.ndim]
    if p.is_sparse and not values:
        return dataclasses.replace(p, connect=_connector(p.connect, rank, n))
    pre, post = network.ends(p.name)
    own = post % n == rank
    if p.mask is not None:
        own &= np.asarray(p.mask).ravel()
    chosen = np.flatnonzero(own)
    taken: dict[str, Any] = {"weights": p.weights, "delay": p.delay}
    if isinstance(p.weights, Uniform) and p.blocks > 1:  # drawn by place in the blocks
        stream = Stream.WEIGHTS + network.projections.index(p)
        drawn = uniforms_at(seed, stream, chosen, 0)
        taken["weights"] = p.weights.low + (p.weights.high - p.weights.low) * drawn
    for key, value in taken.items():
        if isinstance(value, np.ndarray) and value.ndim and value.size == len(own):
            taken[key] = value.ravel()[chosen]
    connect = Synapses(pre[chosen], post[chosen], multapses=True)
    return dataclasses.replace(p, mask=None, blocks=1, connect=connect, **taken)


def _connector(connect: Connector | None, rank: int, n: int) -> Connector:
    """Return the own part of a connector, whose neurons are counted from 0."""
    if isinstance(connect, Between) and isinstance(connect.connect, Sparse):
        inner = Part(connect.connect, (rank - connect.post[0]) % n, n)
        return dataclasses.replace(connect, connect=inner)
    assert connect is not None
    return Part(connect, rank, n)
