"""Compare random networks of equation neurons: every backend and engine with the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_equation_networks import joined, random_equation_network

from neurorl import load
from neurorl.backends.brian2.preferences import cython_problem
from neurorl.native import toolchain
from neurorl.network.description import Network
from neurorl.testing import rasters, same_state

COMPILED: dict[str, Callable[[], str | None]] = {
    "compiled": toolchain.problem,
    "cython": cython_problem,
}


def compare(network: Network, seed: int, others: dict[str, dict[str, Any]]) -> int:
    """Play windows, resets, weights and moved states in two replicas; return how many spikes."""
    rng = np.random.default_rng(seed)
    seeds = [seed, seed + 1] if seed % 2 else seed
    n_replicas = 1 + seed % 2
    backends = [load("reference", network, seed=seeds)]
    backends += [load(name.split(":")[0], network, seed=seeds, **o) for name, o in others.items()]
    reference, total = backends[0], 0
    for window in range(5):
        n_steps = int(rng.integers(3, 20))
        parts = [rasters(network, n_steps, 9 * seed + k + window, 0.4) for k in range(n_replicas)]
        inputs = {k: np.concatenate([p[k] for p in parts], axis=-1) for k in parts[0]}
        results = [backend.step(inputs, n_steps) for backend in backends]
        total += sum(int(raster.sum()) for raster in results[0].values())
        for name, backend, seen in zip(others, backends[1:], results[1:], strict=True):
            for population, raster in results[0].items():
                assert np.array_equal(seen[population], raster), (name, population)
            for k in range(n_replicas):
                assert same_state(backend.state(k), reference.state(k)) == [], name
        projection = network.projections[int(rng.integers(len(network.projections)))].name
        weights = reference.weights(projection) * rng.uniform(-0.5, 1.2)
        saved, k = reference.state(), int(rng.integers(n_replicas))
        for backend in backends:
            backend.set_weights(projection, weights)
            if window == 1:
                backend.reset([k])
            if window == 2:
                backend.reset()
            if window == 3:
                backend.restore(saved, k)
    for backend in backends:
        backend.close()
    return total


QUICK: dict[str, dict[str, Any]] = {"brian2": {"engine": "numpy"}, "torch": {}}


@pytest.mark.parametrize("seed", range(20))
def test_random_networks(seed: int) -> None:
    compare(random_equation_network(seed), seed, QUICK)


@pytest.mark.slow
def test_300_random_networks() -> None:
    active = [compare(random_equation_network(seed), seed, QUICK) > 0 for seed in range(300)]
    assert sum(active) > 200


LATER = [("compiled", 1), ("compiled", 20), ("compiled", 41), ("cython", 0)]


@pytest.mark.parametrize(
    ("engine", "first"),
    [("compiled", 0), *(pytest.param(*case, marks=pytest.mark.slow) for case in LATER)],
)
def test_random_networks_that_compile_together(engine: str, first: int) -> None:
    if COMPILED[engine]() is not None:
        pytest.skip(f"no compiler here for the engine {engine}")
    n = 10 if engine == "compiled" else 3
    networks = [random_equation_network(first * n + k, f"n{k}_") for k in range(n)]
    assert compare(joined(networks), first, {"brian2": {"engine": engine}}) > 0
