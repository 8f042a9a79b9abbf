"""Draw networks of neurons by equations, with a few LIF between them."""

from __future__ import annotations

import dataclasses

import numpy as np
from random_neurons import random_neuron

from neurorl.models import ADAPTIVE_LIF, COBA_LIF, CubaLIF
from neurorl.network.description import (
    Network,
    Neuron,
    Node,
    Population,
    Projection,
    Source,
    Uniform,
)

__all__ = ["joined", "random_equation_network"]

DT = 1e-3


def random_equation_network(seed: int, prefix: str = "") -> Network:
    """Return 2 sources, one of currents, and 1 to 3 populations, whose parts *prefix* begins."""
    rng = np.random.default_rng(seed)
    sources = [Source(f"{prefix}input", 4), Source(f"{prefix}level", 2, "current")]
    populations = [
        _population(rng, 10 * seed + k, f"{prefix}cells_{k}") for k in range(rng.integers(1, 4))
    ]
    nodes: list[Node] = [*sources, *populations]
    projections = []
    for post in populations:
        inputs = post.neuron.inputs
        biased = inputs[int(rng.integers(len(inputs)))]
        for k in range(rng.integers(2, 5)):
            pre = nodes[int(rng.integers(len(nodes)))]
            is_current = isinstance(pre, Source) and pre.kind == "current"
            signed = not is_current and rng.random() < 0.2
            target = biased if signed or is_current else inputs[int(rng.integers(len(inputs)))]
            blocks = 2 if rng.random() < 0.3 else 1
            shape = (2, pre.size // 2, post.size // 2) if blocks == 2 else (pre.size, post.size)
            scale = rng.uniform(0.1, 0.8)
            projections.append(
                Projection(
                    f"to_{post.name}_{k}",
                    pre.name,
                    post.name,
                    Uniform(-0.3 * scale, scale),
                    blocks=blocks,
                    mask=rng.random(shape) < 0.6 if rng.random() < 0.3 else None,
                    delay=DT * int(rng.integers(1, 5)) if not is_current else None,
                    signed=signed,
                    target=target,
                )
            )
    return Network(tuple(nodes), tuple(projections), DT)


def joined(networks: list[Network]) -> Network:
    """Return networks side by side as one, which compiles once."""
    nodes = tuple(node for network in networks for node in network.nodes)
    return Network(nodes, tuple(p for network in networks for p in network.projections), DT)


def _population(rng: np.random.Generator, seed: int, name: str) -> Population:
    size = 2 * int(rng.integers(1, 5))
    kind, neuron = rng.random(), random_neuron(seed, size)
    chosen: Neuron = neuron
    if kind < 0.15:
        chosen = CubaLIF(3e-3, 9e-3, 0.6, 0.0, 0.1)
    elif kind < 0.3:
        chosen = dataclasses.replace(COBA_LIF, noise=float(rng.choice([0.0, 1.0])))
    elif kind < 0.4:
        chosen = ADAPTIVE_LIF
    return Population(name, size, chosen)
