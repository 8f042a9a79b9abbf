"""Make networks and rasters to test a backend: one small network for each feature."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from neurorl.models import (
    ADAPTIVE_LIF,
    COBA_LIF,
    GLM,
    LIF,
    CubaLIF,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    Synapses,
    actor_network,
)
from neurorl.network.description import (
    Network,
    Plasticity,
    Population,
    Projection,
    Source,
    TsodyksMarkram,
    Uniform,
)
from neurorl.numerics.arrays import Array

_DT = 1e-3


def _network(nodes: tuple[Source | Population, ...], *projections: Projection) -> Network:
    return Network(nodes, projections, _DT)


def _chain(neuron: object) -> Network:
    """Return a network of a source of 6, 12 neurons of the model, and 3 more."""
    middle = Population("middle", 12, neuron)  # type: ignore[arg-type]
    last = Population("last", 3, neuron)  # type: ignore[arg-type]
    return _network(
        (Source("input", 6), middle, last),
        Projection("first", "input", "middle", Uniform(-0.4, 1.0)),
        Projection("second", "middle", "last", Uniform(-0.2, 0.6)),
    )


def _mixed_parameters() -> Network:
    k = np.arange(8)
    neuron = CubaLIF(
        tau_syn=1e-3 * k,
        tau_mem=2e-3 * (1 + k),
        threshold=0.4 + 0.1 * (k % 7),  # the chip has room for 7 thresholds a core
        bias=0.05 * (k - 2),
        noise=0.05 * (k % 3),
        refractory=_DT * (k % 4),
    )
    return _network(
        (Source("input", 5), Population("cells", 8, neuron)),
        Projection("drive", "input", "cells", Uniform(-0.5, 1.0)),
    )


def _recurrent() -> Network:
    cells = Population("cells", 10, CubaLIF(2e-3, 10e-3, 0.6, 0.0, 0.1))
    return _network(
        (Source("input", 4), cells),
        Projection("drive", "input", "cells", Uniform(0.0, 1.0)),
        Projection("loop", "cells", "cells", Uniform(-0.5, 0.5)),
    )


def _currents(kind: str = "current") -> Network:
    """Return a network with currents, or values, and spikes into one population, in blocks too."""
    cells = CubaLIF(2e-3, 8e-3, 0.8, 0.02, 0.2, refractory=2e-3)
    return _network(
        (
            Source("level", 6, kind),
            Source("input", 4),
            Population("middle", 9, cells),
            Population("last", 3, GLM()),
        ),
        Projection("flow", "level", "middle", Uniform(-0.3, 0.6)),
        Projection("first", "input", "middle", Uniform(-0.2, 0.6)),
        Projection("groups", "level", "last", Uniform(-0.5, 0.5), blocks=3),
        Projection("second", "middle", "last", Uniform(-0.2, 0.6), signed=True),
    )


def _gaps() -> Network:
    """Return gap junctions within a population and between two, all, in blocks and in a list."""
    network, few = _recurrent(), FixedInDegree(3)
    return _network(
        (*network.nodes, Population("last", 10, ADAPTIVE_LIF)),
        *network.projections,
        Projection("own", "cells", "cells", Uniform(0.0, 0.1), blocks=2, gap="v"),
        Projection("all", "cells", "last", Uniform(0.1, 0.6), gap="v"),
        Projection("few", "last", "cells", Uniform(0.0, 0.1), connect=few, gap="v"),
    )


def _equations() -> Network:
    """Return conductances with noise and dead steps, a rising threshold, a loop between."""
    coba = dataclasses.replace(COBA_LIF, noise=1.0, refractory=2e-3)
    adaptive = ADAPTIVE_LIF.with_parameters(v_t=0.5 + 0.05 * np.arange(5), tau_a=30e-3)
    nodes = (Source("input", 6), Source("level", 2, kind="current"))
    return _network(
        (*nodes, Population("middle", 8, coba), Population("last", 5, adaptive)),
        Projection("excites", "input", "middle", Uniform(0.2, 1.0), target="ge"),
        Projection("inhibits", "input", "middle", Uniform(0.0, 0.3), delay=3e-3, target="gi"),
        Projection("flow", "level", "middle", Uniform(0.0, 0.2), target="ge"),
        Projection("second", "middle", "last", Uniform(-0.1, 0.8), signed=True),
        Projection("back", "last", "middle", Uniform(0.0, 0.4), delay=2e-3, target="gi"),
    )


def _listed() -> Network:
    """Return drawn, listed and signed synapses, from a source of currents, too."""
    pre, post = np.array([0, 0, 5, 3, 3, 3, 1]), np.array([2, 0, 1, 4, 2, 0, 2])
    others, weights = FixedOutDegree(4, autapses=False), 0.1 * (1 + np.arange(7))
    return _network(
        (
            Source("input", 8),
            Source("level", 6, kind="current"),
            Population("middle", 12, CubaLIF(2e-3, 8e-3, 0.5, 0.0, 0.1)),
            Population("last", 5, LIF(6e-3, 0.4)),
        ),
        Projection("drive", "input", "middle", Uniform(0, 0.9), connect=FixedInDegree(3)),
        Projection("flow", "level", "middle", 0.2, connect=FixedProbability(0.2)),
        Projection("loop", "middle", "middle", Uniform(-0.4, 0.4), connect=others, delay=2e-3),
        Projection("second", "middle", "last", weights, connect=Synapses(pre, post), signed=True),
    )


def _synapse_delays() -> Network:
    """Return synapses that have a delay each."""
    delays = _DT * (1 + np.arange(24) * 5 % 7)
    three, four = FixedInDegree(3), FixedInDegree(4)
    return _network(
        (Source("input", 6), Population("middle", 8, LIF(8e-3, 0.5)), Population("last", 6, LIF())),
        Projection("drive", "input", "middle", Uniform(0.1, 0.9), connect=three, delay=delays),
        Projection("same", "input", "last", 0.3, delay=3e-3),
        Projection("second", "middle", "last", Uniform(0.2, 0.8), connect=four, delay=delays[::-1]),
    )


def _short_term() -> Network:
    """Return depressing and facilitating projections, with delays, blocks, lists and plain ones."""
    facilitates = TsodyksMarkram(U=0.1, tau_rec=20e-3, tau_facil=80e-3)
    depresses = TsodyksMarkram(U=0.6, tau_rec=50e-3)
    delays = _DT * (1 + np.arange(24) * 5 % 4)
    loop = {"connect": FixedInDegree(3), "delay": delays, "short_term": facilitates}
    listed = {"connect": FixedProbability(0.3), "delay": 2e-3, "short_term": depresses}
    return _network(
        (Source("input", 6), Population("middle", 8, CubaLIF(2e-3, 8e-3, 0.5, 0.0, 0.1))),
        Projection("drive", "input", "middle", Uniform(0.2, 1.2), short_term=depresses),
        Projection("late", "input", "middle", 0.9, blocks=2, delay=3e-3, short_term=facilitates),
        Projection("plain", "input", "middle", Uniform(0.0, 0.3)),
        Projection("loop", "middle", "middle", Uniform(-0.8, 0.6), **loop),  # type: ignore[arg-type]
        Projection("list", "middle", "middle", 0.3, **listed),  # type: ignore[arg-type]
    )


_MASK = (np.arange(6 * 9).reshape(6, 9) * 7) % 5 < 2
_PLASTIC = Plasticity(trace_tau=5e-3, low=-1.0, high=1.0)
_CELL = CubaLIF(2e-3, 8e-3, 1.2, 0.0, 0.1, refractory=2e-3)
FEATURES: dict[str, Callable[[], Network]] = {
    "LIF": lambda: _chain(LIF(10e-3, 0.8)),
    "CUBA-LIF": lambda: _chain(CubaLIF(3e-3, 12e-3, 0.9, 0.02)),
    "escape noise": lambda: _chain(CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5)),
    "stochastic GLM unit": lambda: _chain(GLM(bias=-0.3)),
    "refractory period": lambda: _chain(CubaLIF(3e-3, 12e-3, 0.4, 0.0, 0.2, refractory=3e-3)),
    "parameters per neuron": _mixed_parameters,
    "several sources": lambda: _network(
        (Source("left", 3), Source("right", 4), Population("cells", 6, LIF(8e-3, 0.7, noise=0.1))),
        Projection("from_left", "left", "cells", Uniform(-1.0, 1.0)),
        Projection("from_right", "right", "cells", 0.3),
    ),
    "recurrent projection": _recurrent,
    "sparse projection (mask)": lambda: _network(
        (Source("input", 6), Population("cells", 9, LIF(5e-3, 0.5))),
        Projection("drive", "input", "cells", Uniform(-0.2, 1.0), mask=_MASK),
    ),
    "modules (blocks)": lambda: actor_network(
        5, 3, neuron=CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5), actors=2, hidden=4
    ),
    "signed units (+-1)": lambda: actor_network(
        5, 2, neuron=GLM(), actors=2, hidden=3, signed=True, initial_output=0.5
    ),
    "weights written between windows": lambda: _network(
        (Source("input", 6), Population("cells", 8, CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5))),
        Projection("drive", "input", "cells", Uniform(-0.2, 0.2), plasticity=_PLASTIC),
    ),
    "delays of several steps": lambda: _network(
        (Source("input", 5), Population("middle", 8, LIF(6e-3, 0.6)), Population("last", 4, LIF())),
        Projection("near", "input", "middle", Uniform(0.0, 0.8)),
        Projection("far", "input", "last", Uniform(0.0, 0.8), delay=4e-3),
        Projection("next", "middle", "last", Uniform(-0.2, 0.8), delay=2e-3),
    ),
    "currents": _currents,
    "more neurons than a core": lambda: _network(
        (Source("input", 4), Population("cells", 1100, _CELL), Population("last", 2, LIF())),
        Projection("drive", "input", "cells", Uniform(-0.2, 0.8), blocks=2),
        Projection("own", "cells", "cells", -0.3, blocks=1100),
        Projection("votes", "cells", "last", Uniform(-0.02, 0.04), blocks=2),
    ),
    "neurons by equations": _equations,
    "synapses as a list": _listed,
    "a delay for each synapse": _synapse_delays,
    "short-term plasticity": _short_term,
    "values for each step": lambda: _currents("values"),
    "gap junctions": _gaps,
}
"""Map each feature of a description to a network that shows it."""


def random_network(seed: int, delays: bool = False, currents: bool = False) -> Network:
    """Return a network of random nodes, neurons and projections, the same for the same seed.

    It has one or two sources, one to three populations of up to 12 neurons, and any projections:
    blocks, masks, signs, loops, weights from tiny to overflowing.
    delays: whether some have delays of up to 4 steps. currents: whether the first source is one of
    currents, in an otherwise equal network.
    """
    rng = np.random.default_rng(seed)
    nodes: list[Source | Population] = []
    nodes += [Source(f"source_{k}", 2 * int(rng.integers(1, 5))) for k in range(rng.integers(1, 3))]
    nodes += [_random_population(rng, f"cells_{k}") for k in range(rng.integers(1, 4))]
    populations = [node for node in nodes if isinstance(node, Population)]
    projections = []
    for post in populations:
        for k in range(rng.integers(1, 4)):
            pre = nodes[int(rng.integers(len(nodes)))]
            projections.append(_random_projection(rng, f"to_{post.name}_{k}", pre, post, delays))
    if currents:
        first = nodes[0] = Source(nodes[0].name, nodes[0].size, "current")
        plain = (dataclasses.replace(p, signed=False, delay=None) for p in projections)
        pairs = zip(projections, plain, strict=True)
        projections = [q if p.pre == first.name else p for p, q in pairs]
    return Network(tuple(nodes), tuple(projections), _DT)


def plain_network(network: Network) -> Network:
    """Return a network without noise, dead steps, delays, signs and projections side by side."""
    nodes: list[Source | Population] = []
    for node in network.nodes:
        if isinstance(node, Population):
            d = node.integrator(network.dt)
            quiet = CubaLIF(2e-3, 8e-3, np.maximum(d.threshold, 0.2), d.bias)
            node = dataclasses.replace(node, neuron=quiet)
        nodes.append(node)
    first = {(p.pre, p.post): p for p in reversed(network.projections)}
    plain = (dataclasses.replace(p, signed=False, delay=None) for p in first.values())
    return Network(tuple(nodes), tuple(plain), network.dt)


def _random_population(rng: np.random.Generator, name: str) -> Population:
    size = 2 * int(rng.integers(1, 7))

    def some(low: float, high: float, zero: float = 0.3) -> Any:
        """Draw a number, or one for each neuron, or now and then 0."""
        if rng.random() < zero:
            return 0.0
        return rng.uniform(low, high, size if rng.random() < 0.3 else None)

    if rng.random() < 0.2:
        return Population(name, size, GLM(bias=some(-1, 1)))
    taus, threshold = (some(0, 10e-3), some(0, 30e-3)), float(rng.uniform(0.2, 2))
    bias, noise, refractory = some(-0.3, 0.5), some(0, 0.5), some(0, 5e-3, zero=0.6)
    return Population(name, size, CubaLIF(*taus, threshold, bias, noise, refractory))


def _random_projection(
    rng: np.random.Generator, name: str, pre: Source | Population, post: Population, delays: bool
) -> Projection:
    blocks = 2 if rng.random() < 0.25 else 1
    shape = (2, pre.size // 2, post.size // 2) if blocks == 2 else (pre.size, post.size)
    scale = 10 ** rng.uniform(-1.5, 0.7)
    return Projection(
        name,
        pre.name,
        post.name,
        Uniform(-scale * rng.uniform(0, 1), scale),
        blocks=blocks,
        mask=rng.random(shape) < 0.6 if rng.random() < 0.25 else None,
        delay=_DT * int(rng.integers(1, 5)) if delays and rng.random() < 0.4 else None,
        signed=bool(rng.random() < 0.15),
        plasticity=Plasticity(low=-2 * scale, high=2 * scale) if rng.random() < 0.3 else None,
    )


def rasters(
    network: Network, n_steps: int, seed: int, probability: float = 0.25
) -> dict[str, Array]:
    """Draw random input of every source.

    Spikes are ``(n_steps, size)``, with *probability* each, as are values; currents ``(size,)``.
    """
    rng = np.random.default_rng(seed)
    return {s.name: _drawn(rng, s, n_steps, probability) for s in network.sources}


def _drawn(rng: np.random.Generator, source: Source, n_steps: int, probability: float) -> Array:
    shape = (n_steps, source.size)
    if source.kind == "values":
        return rng.standard_normal(shape) * 10.0 ** rng.integers(-4, 1, shape)
    return rng.random(shape) < probability if source.kind == "spikes" else rng.random(source.size)


def same_state(a: dict[str, Array], b: dict[str, Array]) -> list[str]:
    """Return the keys whose values differ between two states in any bit (0.0 equals -0.0)."""
    keys = sorted(set(a) | set(b))
    return [k for k in keys if k not in a or k not in b or not np.array_equal(a[k], b[k])]
