"""Compare random networks of equation neurons: every backend and engine with the reference."""

from __future__ import annotations

from typing import Any

import pytest
from compare_backends import compare
from random_equation_networks import random_equation_network

QUICK: dict[str, dict[str, Any]] = {"native": {}, "brian2": {}, "torch": {}}


@pytest.mark.parametrize("seed", range(20))
def test_random_networks(seed: int) -> None:
    compare(random_equation_network(seed), seed, QUICK)


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_with_time_waves_and_noise(seed: int) -> None:
    compare(random_equation_network(seed, driven=True), seed, QUICK)


@pytest.mark.slow
def test_300_with_time_waves_and_noise() -> None:
    networks = (random_equation_network(seed, driven=True) for seed in range(300))
    active = [compare(network, seed, QUICK) > 0 for seed, network in enumerate(networks)]
    assert sum(active) > 200


@pytest.mark.slow
def test_300_random_networks() -> None:
    active = [compare(random_equation_network(seed), seed, QUICK) > 0 for seed in range(300)]
    assert sum(active) > 200
