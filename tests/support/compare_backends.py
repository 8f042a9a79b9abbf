"""Compare backends with the reference over windows, resets, weights and states that move."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl import load
from neurorl.network.description import Network
from neurorl.testing import rasters, same_state


def compare(
    network: Network,
    seed: int,
    others: dict[str, dict[str, Any]],
    reference: dict[str, Any] | None = None,
) -> int:
    """Compare one replica or two, by the parity of the seed; return how many spikes there were.

    others: options of each backend, whose name is the key up to a colon. reference: those of the
    reference. Raises AssertionError for any bit that differs.
    """
    rng = np.random.default_rng(seed)
    seeds = [seed, seed + 1] if seed % 2 else seed
    n_replicas = 1 + seed % 2
    backends = [load("reference", network, seed=seeds, **(reference or {}))]
    backends += [load(name.split(":")[0], network, seed=seeds, **o) for name, o in others.items()]
    expected, total = backends[0], 0
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
                assert same_state(backend.state(k), expected.state(k)) == [], name
        projection = network.projections[int(rng.integers(len(network.projections)))].name
        weights = expected.weights(projection) * rng.uniform(-0.5, 1.2)
        saved, k = expected.state(), int(rng.integers(n_replicas))
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
