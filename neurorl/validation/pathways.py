"""Hold what leads to a population as matrices, one for each delay, lists of synapses included."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Network, Projection
from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import FloatArray

MOST_PLACES = 2**22
"""Lay lists into a population out up to this many places in matrices."""


@dataclass(frozen=True, eq=False)
class Pathway:
    """Hold a projection, or those synapses of its list that have one delay.

    name: of the projection, with a number if it has several delays. delay: in steps. blocks: equal
    blocks of the matrix. n_post: neurons that it leads to. synapses, numbers: of a list; numbers
    are those of the part's synapses.
    """

    name: str
    projection: Projection
    delay: int
    target: str
    blocks: int
    n_post: int
    synapses: SynapseList | None = None
    numbers: npt.NDArray[np.intp] | None = None

    @property
    def pre(self) -> str:
        """Return the presynaptic node."""
        return self.projection.pre

    def matrices(self, weights: npt.NDArray[np.generic]) -> FloatArray:
        """Return the weights of the projection as ``(blocks, presynaptic, postsynaptic)``."""
        if self.synapses is None:
            return weights.reshape(-1, *weights.shape[-2:]).astype(np.float64)
        matrix = np.zeros((1, self.synapses.n_pre, self.synapses.n_post))
        at = self.synapses.pre[self.numbers], self.synapses.post[self.numbers]
        np.add.at(matrix[0], at, weights[self.numbers])
        return matrix

    def times(self, weights: FloatArray, factor: FloatArray) -> FloatArray:
        """Return the projection's weights with these times a number, or one of each neuron."""
        if self.synapses is None:
            is_blocks = factor.ndim and weights.ndim == 3
            each = factor.reshape(weights.shape[0], 1, -1) if is_blocks else factor
            return np.asarray(weights * each)
        weights = weights.copy()
        post = self.synapses.post[self.numbers]
        weights[self.numbers] *= factor[post] if factor.ndim else factor
        return weights

    def into(self, weights: FloatArray, neuron: int) -> FloatArray:
        """Return the projection's weights of the synapses into a neuron."""
        if self.synapses is not None:
            chosen = self.synapses.post[self.numbers] == neuron
            return np.asarray(weights[self.numbers][chosen])
        block, column = divmod(neuron, weights.shape[-1])
        return np.asarray(self.matrices(weights)[block, :, column])


def pathways(network: Network, population: str) -> list[Pathway]:
    """Return what leads to a population, projections of currents included."""
    into = (p for p in network.projections if p.post == population)
    return [part for p in into for part in _parts(network, p)]


def _parts(network: Network, p: Projection) -> Iterator[Pathway]:
    synapses, target = network.synapses(p.name), network.target(p)
    size, delay = network.node(p.post).size, network.delay_steps(p.name)
    if synapses is None:
        yield Pathway(p.name, p, delay, target, p.blocks, size)
        return
    taken = {q.name for q in network.projections}
    others = (f"{p.name}_{number}" for number in itertools.count(2))
    names = itertools.chain([p.name], (name for name in others if name not in taken))
    for name, (steps, at) in zip(names, _delays(network, p, len(synapses)).items(), strict=False):
        yield Pathway(name, p, steps, target, 1, size, synapses, at)


def _delays(network: Network, p: Projection, n: int) -> dict[int, npt.NDArray[np.intp]]:
    """Return the numbers of a list's synapses, by delay in steps."""
    delays = network.synapse_delays(p.name)
    steps = np.full(n, network.delay_steps(p.name)) if delays is None else delays
    return {int(d): np.flatnonzero(steps == d) for d in np.unique(steps)}


def has_room(network: Network, population: str) -> bool:
    """Return whether the lists that lead to a population fit into matrices."""
    into = (p for p in network.projections if p.post == population)
    lists = ((p, s) for p in into if (s := network.synapses(p.name)) is not None)
    places = (s.n_pre * s.n_post * len(_delays(network, p, len(s))) for p, s in lists)
    return sum(places) <= MOST_PLACES
