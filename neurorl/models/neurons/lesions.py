"""Describe networks with dead neurons, which no plasticity can revive."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models import Lesion
from neurorl.network.description import Network, Node, Population, Projection
from neurorl.network.modules import hidden_layers
from neurorl.network.serialization import number
from neurorl.numerics.arrays import BoolArray

Alive = Mapping[str, BoolArray]


def lesioned(
    network: Network, share: float, seed: int = 0, populations: Sequence[str] | None = None
) -> Network:
    """Return *network* with a share of its neurons dead: without synapses, and silent.

    share: 0 to 1, rounded to whole neurons of each population.
    seed: draws which neurons die; a larger share includes the neurons of a smaller one.
    populations: None takes the hidden populations that learn.

    Names, sizes and shapes stay, so that weights of *network* fit. All synapses to and from a dead
    neuron are gone; even a signed unit, which sends -w when it is silent, sends nothing.

    Raises DescriptionError for a share out of range, or if there are no hidden populations.
    """
    number("lesioned share", share, 0.0, 1.0)
    names = hidden_layers(network) if populations is None else tuple(populations)
    if not names:
        remedy = "name the populations"
        raise DescriptionError("lesioned", "has no hidden neurons that learn", remedy=remedy)
    rng = np.random.default_rng(seed)
    dead = {}
    for name in names:
        order = rng.permutation(network.node(name).size)
        dead[name] = tuple(sorted(order[: round(share * len(order))].tolist()))
    alive = {name: ~np.isin(np.arange(network.node(name).size), dead[name]) for name in names}
    return dataclasses.replace(
        network,
        nodes=tuple(_node(node, dead.get(node.name, ())) for node in network.nodes),
        projections=tuple(_projection(network, p, alive) for p in network.projections),
    )


def _node(node: Node, dead: tuple[int, ...]) -> Node:
    if not dead or not isinstance(node, Population):
        return node
    return dataclasses.replace(node, neuron=Lesion(node.neuron, dead))


def _projection(network: Network, p: Projection, alive: Alive) -> Projection:
    """Remove the synapses of dead neurons, keeping the shape of the projection's weights."""
    if {p.pre, p.post}.isdisjoint(alive):
        return p
    if p.is_sparse:
        what, remedy = "a list loses no synapses, so that its weights fit", "a mask in its place"
        raise DescriptionError(f"lesioned, projection {p.name!r}", what, remedy=remedy)
    shape = network.weight_shape(p.name)
    blocks = shape[0] if len(shape) == 3 else 1
    there = np.ones((blocks, *shape[-2:]), dtype=bool)
    if p.pre in alive:
        there &= alive[p.pre].reshape(blocks, -1, 1)
    if p.post in alive:
        there &= alive[p.post].reshape(blocks, 1, -1)
    if p.mask is not None:
        there &= p.mask.reshape(there.shape)
    if there.all() and p.mask is None:
        return p
    return dataclasses.replace(p, mask=there.reshape(shape))
