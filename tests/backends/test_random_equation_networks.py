"""Compare random networks of equation neurons: every backend and engine with the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from compare_backends import compare
from random_equation_networks import joined, random_equation_network

from neurorl.backends.brian2.preferences import cython_problem
from neurorl.native import toolchain

COMPILED: dict[str, Callable[[], str | None]] = {
    "compiled": toolchain.problem,
    "cython": cython_problem,
}


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
