"""Draw networks that learn, and run them in processes of NEST and in native: everything is equal.

A course is eight windows of random inputs, with reinforcement, a reset and written weights; both
ends of it are compared in every spike, weight, eligibility, membrane and current.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.models import (
    LIF,
    Blocks,
    CubaLIF,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    GaussianDistance,
    Synapses,
)
from neurorl.network.description import Normal
from neurorl.rules import Rule
from neurorl.testing import rasters

DT = 1e-3
MEMBRANES = Rule("membranes", hidden="(spike - 0.1)*v", output="spike*v")
RULES = ("reward-stdp", "mstdpet", "triplet-stdp", MEMBRANES)
N_WINDOWS = 8
Values = dict[str, npt.NDArray[Any]]


def random_network(seed: int) -> Network:
    """Return sources of spikes and currents, two populations, and projections of every kind."""
    rng = np.random.default_rng([seed, 41])
    sizes = {"in": 2 * int(rng.integers(2, 9)), "level": 2}
    sizes |= {f"c{k}": 2 * int(rng.integers(2, 12)) for k in range(2)}
    nodes: list[Source | Population] = [
        Source("in", sizes["in"]),
        Source("level", 2, "current"),
        *(Population(f"c{k}", sizes[f"c{k}"], _cells(rng)) for k in range(2)),
    ]
    ends = [("in", "c0"), ("in", "c1"), ("c0", "c1"), ("c1", "c0"), ("c0", "c0")]
    projections = [
        _projection(rng, f"p{k}", pre, post, sizes, k != 1) for k, (pre, post) in enumerate(ends)
    ]
    flows = Projection("flows", "level", "c0", Uniform(0.0, 0.2))
    return Network(tuple(nodes), (flows, *projections), DT)


def _cells(rng: np.random.Generator) -> CubaLIF | LIF:
    noise = float(rng.choice([0.0, 0.2]))
    if rng.random() < 0.3:
        return LIF(rng.uniform(5e-3, 2e-2), threshold=0.7, noise=noise, refractory=DT)
    return CubaLIF(rng.uniform(0, 5e-3), rng.uniform(5e-3, 2e-2), 0.7, noise=noise)


def _projection(
    rng: np.random.Generator, name: str, pre: str, post: str, sizes: dict[str, int], learns: bool
) -> Projection:
    n_pre, n_post, seed = sizes[pre], sizes[post], int(rng.integers(1000))
    degree = int(rng.integers(1, min(n_pre, n_post)))
    places = rng.uniform(0, 1, (max(n_pre, n_post), 2))
    connect = _chosen(
        rng,
        [
            FixedInDegree(degree, autapses=pre != post, seed=seed),
            FixedInDegree(degree, multapses=True, seed=seed),
            FixedOutDegree(degree, seed=seed),
            FixedProbability(0.4, autapses=pre != post, seed=seed),
            GaussianDistance(0.3, places[:n_pre], places[:n_post], seed=seed),
            Synapses(rng.integers(0, n_pre, 30), rng.integers(0, n_post, 30), multapses=True),
            Blocks(2),
            None,
        ],
    )
    values = Uniform(-0.2, float(rng.uniform(0.6, 1.2)))
    high, tau = float(rng.uniform(0.8, 2)), float(rng.choice([0.0, 0.015]))
    delay: Any = DT * int(rng.integers(1, 6))
    if connect is not None and not isinstance(connect, Blocks) and rng.random() < 0.5:
        delay = _chosen(rng, [Uniform(DT, 4 * DT), Normal(3e-3, 1e-3)])
    p = Projection(name, pre, post, values, connect=connect, delay=delay)
    p = dataclasses.replace(p, plasticity=Plasticity(tau, -high, high) if learns else None)
    if isinstance(connect, FixedInDegree) and rng.random() < 0.4:
        half = n_pre // 2
        inner = dataclasses.replace(connect, n=1)
        end = f"{post}[{n_post // 2}:]" if pre != post else f"{post}[:{half}]"
        return dataclasses.replace(p, pre=f"{pre}[:{half}]", post=end, connect=inner)
    if connect is None and rng.random() < 0.5:
        return dataclasses.replace(p, mask=rng.random((n_pre, n_post)) < 0.6)
    return dataclasses.replace(p, signed=True) if connect is None else p


def _chosen(rng: np.random.Generator, of: Sequence[Any]) -> Any:
    return of[int(rng.integers(len(of)))]


def learning_of(seed: int) -> dict[str, Any]:
    """Return keywords of `Learning`."""
    rng = np.random.default_rng([seed, 42])
    return {"rule": _chosen(rng, RULES), "rate": float(rng.uniform(0.1, 2.0))}


def course(network: Network, seed: int, runs: Any, first: int = 0, last: int = N_WINDOWS) -> Values:
    """Let a `Learning`, or a `Distributed`, go through windows; return its spikes."""
    seen: Values = {}
    for k in range(first, last):
        rng = np.random.default_rng([seed, k])
        n_steps = int(rng.integers(5, 90))
        given = rasters(network, n_steps, seed=97 * seed + k, probability=0.4)
        for name, raster in runs.window(given, n_steps).items():
            seen[f"{k}.{name}"] = np.array(raster)
        if k == 4:
            runs.reset()
        runs.reinforce(float(rng.uniform(-1, 1)))
    return seen


def learned(network: Network, runs: Any) -> Values:
    """Return weights and eligibilities where there are synapses."""
    values: Values = {}
    for p in network.projections:
        if p.plasticity is not None:
            there = 1.0 if p.mask is None else np.asarray(p.mask)
            values[f"w {p.name}"] = runs.weights(p.name)
            values[f"e {p.name}"] = runs.eligibility(p.name) * there
    return values


def native(network: Network, seed: int) -> tuple[Values, Values]:
    """Return what a network learns on backend native, and its state."""
    with load("native", network, seed=seed) as backend:
        learning = Learning(backend, **learning_of(seed))
        seen = course(network, seed, learning)
        return seen | learned(network, learning), backend.simulator.state(0)


def differing(expected: Values, got: Values) -> Iterator[str]:
    """Yield the names of what differs."""
    if {*expected} != {*got}:
        yield f"names {sorted({*expected} ^ {*got})}"
    for name, value in expected.items():
        # Parts remember as many steps of spikes as random delays may have.
        steps = slice(-len(value), None) if name.endswith(".spikes") else slice(None)
        if name in got and not np.array_equal(value, got[name][steps]):
            yield name


def in_parts(network: Network, seed: int, processes: int, threads: int) -> tuple[Values, Values]:
    """Return what a network learns in parts, and its state."""
    from neurorl_nest.distributed import Distributed

    told: dict[str, Any] = {"processes": processes, "threads": threads, "seed": seed}
    with Distributed(network, **told, learning=learning_of(seed)) as runs:
        seen = course(network, seed, runs)
        return seen | learned(network, runs), runs.state()


def on_backend(network: Network, seed: int, processes: int, threads: int) -> tuple[Values, Values]:
    """Return what a network learns on backend nest, by a front end that has all, and its state."""
    from neurorl_nest.simulator import NestSimulator

    told: dict[str, Any] = {"processes": processes, "threads": threads, "seed": seed}
    with load(NestSimulator, network, **told) as backend:
        learning = Learning(backend, **learning_of(seed))
        seen = course(network, seed, learning)
        return seen | learned(network, learning), backend.simulator.state(0)


def resumed(network: Network, seed: int, folder: Path, before: int, after: int) -> Values:
    """Return what a network learns that *before* processes begin and *after* others end."""
    from neurorl_nest.distributed import Distributed

    told: dict[str, Any] = {"seed": seed, "learning": learning_of(seed)}
    with Distributed(network, processes=before, **told) as runs:
        seen = course(network, seed, runs, last=N_WINDOWS // 2)
        runs.save(folder)
    with Distributed(network, processes=after, **told) as runs:
        runs.restore(folder)
        seen |= course(network, seed, runs, first=N_WINDOWS // 2)
        return seen | learned(network, runs)
