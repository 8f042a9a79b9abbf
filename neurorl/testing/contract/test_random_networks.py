"""Networks that nobody thought of, on every backend, against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.backend import backend_class, load
from neurorl.testing import random_network, rasters, same_state

FEW, MANY = range(40), range(40, 540)
WAYS: list[tuple[str, str, dict[str, Any]]] = [
    ("brian2", "float", {"engine": "numpy"}),
    ("brian2", "loihi", {"engine": "numpy"}),
    ("loihi", "loihi", {}),
    ("loihi", "loihi", {"accelerate": False}),
]


def compare(
    seed: int, name: str, arithmetic: str, options: dict[str, Any], currents: bool = False
) -> None:
    cls = backend_class(name)
    network = random_network(seed, True, currents)
    assert cls.problems(network, arithmetic) == []
    rng = np.random.default_rng(seed)
    with (
        load("reference", network, arithmetic=arithmetic, seed=seed) as reference,
        load(name, network, arithmetic=arithmetic, seed=seed, **options) as backend,
    ):
        for window in range(6):
            n_steps = int(rng.integers(1, 25))
            inputs = rasters(network, n_steps, seed + window, rng.uniform(0, 0.9))
            expected, seen = reference.step(inputs, n_steps), backend.step(inputs, n_steps)
            for population in expected:
                assert np.array_equal(seen[population], expected[population]), population
            assert same_state(backend.state(), reference.state()) == []
            if rng.random() < 0.3:
                reference.reset()
                backend.reset()
            for p in network.projections:
                if rng.random() < 0.5:
                    weights = reference.weights(p.name) * rng.uniform(-1.5, 1.5)
                    reference.set_weights(p.name, weights)
                    backend.set_weights(p.name, weights)


@pytest.mark.parametrize("seed", FEW)
@pytest.mark.parametrize(("name", "arithmetic", "options"), WAYS)
def test_random_networks(seed: int, name: str, arithmetic: str, options: dict[str, Any]) -> None:
    compare(seed, name, arithmetic, options)


@pytest.mark.parametrize("seed", range(600, 612))
@pytest.mark.parametrize(("name", "arithmetic", "options"), WAYS)
def test_random_networks_with_currents(
    seed: int, name: str, arithmetic: str, options: dict[str, Any]
) -> None:
    compare(seed, name, arithmetic, options, currents=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
@pytest.mark.parametrize(("name", "arithmetic", "options"), WAYS)
def test_many_random_networks(
    seed: int, name: str, arithmetic: str, options: dict[str, Any]
) -> None:
    compare(seed, name, arithmetic, options)
