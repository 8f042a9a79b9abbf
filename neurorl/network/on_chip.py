"""Replace equations by neurons of the chip that make the same spikes."""

from __future__ import annotations

import dataclasses

from neurorl.network.description import Network, Node, Population, Projection

__all__ = ["on_chip"]


def on_chip(network: Network) -> Network:
    """Return the network for chip arithmetic: equations of a LIF or CubaLIF become that neuron.

    Other equations stay, and are refused by name later. Weights keep their values and units. The
    chip's membrane is the equations' membrane minus the reset value, times the share of the weights
    that reaches it. Returns *network* itself if no neuron has equations.
    """
    nodes = tuple(_node(node, network.dt) for node in network.nodes)
    replaced = {n.name for n, old in zip(nodes, network.nodes, strict=True) if n is not old}
    if not replaced:
        return network

    def arriving(p: Projection) -> Projection:
        return dataclasses.replace(p, target=None) if p.post in replaced else p

    projections = tuple(arriving(p) for p in network.projections)
    return dataclasses.replace(network, nodes=nodes, projections=projections)


def _node(node: Node, dt: float) -> Node:
    """Return a population of the chip's neurons, or the node itself."""
    if not isinstance(node, Population) or node.is_integrator(dt):
        return node
    neuron = node.neuron.on_chip(node.size, dt)
    return node if neuron is None else dataclasses.replace(node, neuron=neuron)
