"""Test replicas on the library's backends, beside what every backend promises of them."""

from __future__ import annotations

from typing import Any

import pytest

from neurorl.backends.registry import load
from neurorl.errors import ArgumentError
from neurorl.testing import FEATURES
from neurorl.testing.contract.test_replicas import SEEDS, ReplicaPair, exercise_quietly

HAS_MEMORY = {("reference", None), ("native", None), ("loihi", "native"), ("loihi", "stock")}


@pytest.mark.parametrize("feature", ["LIF", "modules (blocks)", "signed units (+-1)"])
@pytest.mark.parametrize("seed", [5, SEEDS])
def test_which_backends_lend_the_memory_of_their_weights(
    feature: str, seed: Any, case: Any
) -> None:
    network = FEATURES[feature]()
    name = network.projections[-1].name
    has = (case.backend, case.engine) in HAS_MEMORY
    with case.make(network, seed=seed) as backend:
        lends = backend.transmitted(name) is not None
    assert lends == (has and not network.projection(name).signed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 112))
def test_replicas_of_many_random_networks(seed: int, case: Any) -> None:
    exercise_quietly(ReplicaPair(case, case.random_network(seed)))


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        ((), "a sequence of seeds is empty"),
        ((1, -1), "must be a whole number"),
        ((1, True), "must be a whole number"),
        ("7", "must be a whole number"),
        (0.5, "must be a whole number"),
    ],
)
def test_bad_seeds(seed: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        load("reference", FEATURES["LIF"](), seed=seed)
