"""Test that published rules do what was published, by the checks of docs/plasticity.md."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.plasticity import CHECKS, PAIRINGS, pairings
from experiments.plasticity_rules import TRIPLET


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_holds_on_a_seed(name: str) -> None:
    assert CHECKS[name].holds(CHECKS[name].run(1))


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_a_check_holds_on_18_of_20_seeds(name: str) -> None:
    assert sum(CHECKS[name].holds(CHECKS[name].run(seed)) for seed in range(20)) >= 18


def test_triplets_are_their_sums() -> None:
    """Each pair of spikes, and each triplet, adds a term: summed here without traces of steps."""
    p, changes = TRIPLET.parameters, pairings()
    for row, (after, rates) in enumerate(PAIRINGS):
        for column, rate in enumerate(rates):
            gap = min(1e-3 * round(1e3 / rate), 2.0)
            pre = gap * np.arange(60)
            post = pre + after
            change = 0.0
            for t in post:
                before, own = t - pre[pre < t], t - post[post < t]
                r, o2 = np.exp(-before / p["tp"]).sum(), np.exp(-own / p["ty"]).sum()
                change += p["up"] * r * o2
            for t in pre:
                change -= p["down"] * np.exp(-(t - post[post < t]) / p["tm"]).sum()
            assert changes[row, column] == pytest.approx(change, abs=2e-6), (after, rate)
