"""Compare backends with the reference on random networks."""

from __future__ import annotations

import numpy as np
import pytest

from neurorl.testing import rasters, same_state
from neurorl.testing.plugin import Case


def compare(seed: int, case: Case, currents: bool = False) -> None:
    """Compare a backend with the reference over windows, resets and writes of weights."""
    network = case.random_network(seed, currents)
    rng = np.random.default_rng(seed)
    with case.make(network, seed=seed) as backend, case.reference(network, seed=seed) as other:
        for window in range(6):
            n_steps = int(rng.integers(1, 25))
            inputs = rasters(network, n_steps, seed + window, rng.uniform(0, 0.9))
            expected, actual = other.step(inputs, n_steps), backend.step(inputs, n_steps)
            for population in expected:
                assert np.array_equal(actual[population], expected[population]), population
            assert same_state(backend.state(), other.state()) == []
            if rng.random() < 0.3:
                other.reset()
                backend.reset()
            for p in network.projections:
                if rng.random() < 0.5:
                    weights = other.weights(p.name) * rng.uniform(-1.5, 1.5)
                    other.set_weights(p.name, weights)
                    backend.set_weights(p.name, weights)


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed: int, quick_case: Case) -> None:
    compare(seed, quick_case)


@pytest.mark.parametrize("seed", range(600, 612))
def test_random_networks_with_currents(seed: int, quick_case: Case) -> None:
    compare(seed, quick_case, currents=True)
