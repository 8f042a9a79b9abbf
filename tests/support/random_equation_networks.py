"""Draw random networks of neurons by equations, with a few LIF between them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from random_neurons import random_driven_neuron, random_neuron

from neurorl import TsodyksMarkram
from neurorl.models import (
    ADAPTIVE_LIF,
    COBA_LIF,
    CubaLIF,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    Synapses,
)
from neurorl.network.description import (
    Network,
    Neuron,
    Node,
    Population,
    Projection,
    Source,
    Uniform,
)

DT = 1e-3


def random_equation_network(seed: int, driven: bool = False) -> Network:
    """Return 2 sources, one of currents, and 1 to 3 populations.

    driven: whether equations have time, waves and white noise too, a source gives values, and gap
    junctions couple populations.

    Projections are dense, masked, in blocks or lists, some with a delay for each synapse, some with
    short-term plasticity.
    """
    rng = np.random.default_rng(seed)
    sources = [Source("input", 4), Source("level", 2, "current")]
    make = _driven if driven else _population
    populations = [make(rng, 10 * seed + k, f"cells_{k}") for k in range(rng.integers(1, 4))]
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
            scale = rng.uniform(0.1, 0.8)
            projections.append(
                Projection(
                    f"to_{post.name}_{k}",
                    pre.name,
                    post.name,
                    Uniform(-0.3 * scale, scale),
                    signed=signed,
                    target=target,
                    **_synapses(rng, pre, post, is_plain=is_current or signed),
                    **({} if is_current or signed else _short_term(rng)),
                )
            )
            if is_current:
                projections[-1] = dataclasses.replace(projections[-1], delay=None)
    if driven:
        nodes.append(Source("sensed", 4, "values"))
        others = np.random.default_rng([seed, 1])
        projections += [*_felt(others, nodes[-1], populations), *_gaps(others, populations)]
    return Network(tuple(nodes), tuple(projections), DT)


def _felt(
    rng: np.random.Generator, source: Node, populations: list[Population]
) -> list[Projection]:
    """Return projections of values, none to some populations and two to others."""
    made = []
    for post in populations:
        for k in range(rng.integers(3)):
            inputs = post.neuron.inputs
            synapses = _synapses(rng, source, post, is_plain=bool(rng.random() < 0.5)) | {
                "delay": None
            }
            target, scale = inputs[int(rng.integers(len(inputs)))], 10 ** rng.uniform(-2, 0.3)
            weights = Uniform(-0.5 * scale, scale)
            name = f"felt_{post.name}_{k}"
            made.append(
                Projection(name, source.name, post.name, weights, target=target, **synapses)
            )
    return made


def _gaps(rng: np.random.Generator, populations: list[Population]) -> list[Projection]:
    """Return up to two projections of gap junctions, between any populations."""
    made = []
    for k in range(rng.integers(3)):
        pre, post = (populations[i] for i in rng.integers(0, len(populations), 2))
        gap = "v" if rng.random() < 0.8 or len(pre.variables(DT)) < 3 else "int"
        if gap not in post.variables(DT):
            gap = "v"
        synapses = _synapses(rng, pre, post, is_plain=bool(rng.random() < 0.5)) | {"delay": None}
        target = post.neuron.inputs[int(rng.integers(len(post.neuron.inputs)))]
        weights = Uniform(-0.01, float(rng.uniform(0, 0.3)))
        name = f"gap_{k}"
        made.append(
            Projection(name, pre.name, post.name, weights, target=target, gap=gap, **synapses)
        )
    return made


def _synapses(rng: np.random.Generator, pre: Node, post: Node, is_plain: bool) -> dict[str, Any]:
    """Return which synapses there are, and their delays. is_plain: no list."""
    delay = DT * int(rng.integers(1, 5))
    if is_plain or rng.random() < 0.55:
        blocks = 2 if rng.random() < 0.3 else 1
        shape = (2, pre.size // 2, post.size // 2) if blocks == 2 else (pre.size, post.size)
        mask = rng.random(shape) < 0.6 if rng.random() < 0.3 else None
        return {"blocks": blocks, "mask": mask, "delay": delay}
    seed, n = int(rng.integers(99)), int(rng.integers(1, pre.size + 1))
    several = 3 * post.size
    pairs = rng.integers(0, pre.size, several), rng.integers(0, post.size, several)
    lists = (
        (FixedProbability(0.5, seed=seed), None),
        (FixedOutDegree(int(rng.integers(1, post.size + 1)), seed=seed), None),
        (FixedInDegree(n, seed=seed, multapses=bool(rng.random() < 0.5)), n * post.size),
        (Synapses(*pairs, multapses=True), several),
    )
    connect, count = lists[int(rng.integers(len(lists)))]
    if count is None or rng.random() < 0.3:
        return {"connect": connect, "delay": delay}
    return {"connect": connect, "delay": DT * rng.integers(1, 6, count)}


def _short_term(rng: np.random.Generator) -> dict[str, Any]:
    """Return short-term plasticity, for about every third projection."""
    if rng.random() > 0.35:
        return {}
    recovers, facilitates = rng.uniform(0, 0.1, 2) * (rng.random(2) < 0.8)
    return {"short_term": TsodyksMarkram(float(rng.uniform(0.05, 1)), recovers, facilitates)}


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


def _driven(rng: np.random.Generator, seed: int, name: str) -> Population:
    size = 2 * int(rng.integers(1, 5))
    return Population(name, size, random_driven_neuron(seed // 10 + 7 * seed, size))
