"""Derive networks: copies side by side, which a simulator steps at once, and neurons of chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from neurorl.network.connectors import Copies
from neurorl.network.description import Network, Node, Population, Projection, Source, Uniform
from neurorl.network.neuron import Neuron, StepPlan


@dataclass(frozen=True, eq=False)
class SideBySide(Neuron, named="Tiled"):
    """Describe *copies* equal populations side by side, as one population."""

    neuron: Neuron
    copies: int

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.neuron.inputs

    @property
    def chip_unit(self) -> float | None:
        return self.neuron.chip_unit

    def plan(self, size: int, dt: float) -> StepPlan:
        return self.neuron.plan(size // self.copies, dt).tiled(self.copies)


def replicate(network: Network, n: int) -> Network:
    """Return *n* unconnected replicas of *network* as one network; *network* itself if n = 1.

    Neuron i of replica k is neuron ``k * size + i``. Weights of shape ``(pre, post)`` become
    ``(n, pre, post)``, ``(blocks, pre, post)`` becomes ``(n * blocks, pre, post)``, lists become
    ``(n * n_synapses,)``: in C order one replica comes after another. `Uniform` weights stay a
    range, but are drawn by each replica's own seed, with
    `neurorl.network.initial_weights.initial_weights` of one replica.
    """
    if n == 1:
        return network
    nodes = tuple(_node(node, n) for node in network.nodes)
    projections = tuple(_projection(network, projection, n) for projection in network.projections)
    return Network(nodes, projections, network.dt)


def _node(node: Node, n: int) -> Node:
    if isinstance(node, Source):
        return replace(node, size=n * node.size)
    return Population(node.name, n * node.size, SideBySide(node.neuron, n))


def _projection(network: Network, p: Projection, n: int) -> Projection:
    weights, mask = p.weights, p.mask
    synapses = network.synapses(p.name)
    if synapses is not None:
        if not isinstance(weights, Uniform) and weights.ndim:
            weights = np.tile(weights, n)
        delays = network.synapse_delays(p.name)
        delay = p.delay
        if delays is not None:
            delay = np.tile(delays * network.dt, n) if len(delays) else None
        return replace(p, weights=weights, delay=delay, connect=Copies(synapses, n))
    if not isinstance(weights, Uniform) and weights.ndim:
        weights = np.tile(weights, (n, 1, 1))
    if mask is not None:
        mask = np.tile(mask, (n, 1, 1))
    return replace(p, weights=weights, mask=mask, blocks=n * p.blocks)


def on_chip(network: Network) -> Network:
    """Return the network for chip arithmetic: equations of a LIF or CubaLIF become that neuron.

    Other equations stay, and are refused by name later. Weights keep their values and units. The
    chip's membrane is the equations' membrane minus the reset value, times the share of the weights
    that reaches it. Returns *network* itself if no neuron has equations.
    """
    return without_equations(network, lambda p: p.neuron.on_chip(p.size, network.dt))


def without_equations(network: Network, other: Callable[[Population], Neuron | None]) -> Network:
    """Return the network with other neurons, of one input, in place of those by equations.

    other: returns None for a population that stays. Returns *network* itself if all do.
    """
    found = ((p, other(p)) for p in network.populations if not p.is_integrator(network.dt))
    made = {p.name: Population(p.name, p.size, neuron) for p, neuron in found if neuron is not None}
    if not made:
        return network
    nodes = tuple(made.get(node.name, node) for node in network.nodes)
    projections = (replace(p, target=None) if p.post in made else p for p in network.projections)
    return replace(network, nodes=nodes, projections=tuple(projections))
