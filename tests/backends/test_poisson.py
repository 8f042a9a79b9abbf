"""Test sources that spike by rates: equal everywhere, right in the mean, refused where wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import (
    Learning,
    Network,
    Plasticity,
    Poisson,
    Population,
    Projection,
    Source,
    load,
    step_times,
)
from neurorl.errors import ArgumentError
from neurorl.models import LIF

NODES = (
    Source("input", 30),
    Source("other", 30),
    Population("cells", 10, LIF(tau_mem=5e-3, noise=0.1)),
)
NETWORK = Network(
    NODES,
    (
        Projection("into", "input", "cells", 0.2, plasticity=Plasticity(0.02, 0.0, 1.0)),
        Projection("more", "other", "cells", 0.1),
    ),
)
RATES = {"input": Poisson(np.linspace(0, 300, 30)), "other": Poisson(50.0)}


@pytest.mark.parametrize("seed", [7, [7, 8]])
def test_spikes_are_the_same_everywhere_and_in_any_windows(seed: Any) -> None:
    rasters = []
    for name, cuts in (("reference", [200]), ("native", [1, 99, 100]), ("brian2", [50, 150])):
        with load(name, NETWORK, seed=seed) as backend:
            parts = [backend.step(RATES, n)["cells"] for n in cuts]
            rasters.append(np.concatenate(parts))
    with load("native", NETWORK, seed=seed) as backend:
        rasters.append(step_times(backend, RATES, 200)["cells"].raster())
    assert rasters[0].sum() > 100
    assert all(np.array_equal(rasters[0], other) for other in rasters[1:])


def test_a_state_goes_on_with_the_same_draws() -> None:
    with load("native", NETWORK, seed=3) as one, load("reference", NETWORK, seed=3) as other:
        one.step(RATES, 80)
        other.restore(one.state())
        for _ in range(2):
            assert np.array_equal(one.step(RATES, 60)["cells"], other.step(RATES, 60)["cells"])


def test_rates_are_met_and_draws_differ() -> None:
    with load("reference", NETWORK, seed=[1, 2]) as backend:
        drawn = backend.checked(RATES, 20_000)
        rates = drawn["input"].mean(axis=0).reshape(2, 30) / 1e-3
        assert rates == pytest.approx(np.tile(np.linspace(0, 300, 30), (2, 1)), abs=14)
        a, b = drawn["other"][:, :30], drawn["other"][:, 30:]
        for x, y in ((a, b), (a[:-1], a[1:]), (a[:, :-1], a[:, 1:]), (a, drawn["input"][:, :30])):
            assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 0.01
        steps = np.where(np.arange(2000)[:, None] < 1000, 400.0, 0.0) * np.ones(60)
        changing = backend.checked({"other": Poisson(steps)}, 2000)["other"]
        assert changing[:1000].mean() == pytest.approx(0.4, abs=0.01)
        assert not changing[1000:].any()


def test_learning_hears_what_was_drawn() -> None:
    with load("native", NETWORK, seed=5) as backend:
        given = backend.checked(RATES, 100)
        learning = Learning(backend, "reward-stdp")
        learning.window(RATES, 100)
        eligibility = learning.eligibility("into")
    with load("native", NETWORK, seed=5) as backend:
        again = Learning(backend, "reward-stdp")
        again.window(given, 100)
        assert np.array_equal(again.eligibility("into"), eligibility)
    assert eligibility.any()


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (-1.0, "Poisson.rates: are no rates"),
        (np.nan, "Poisson.rates: are no rates"),
        ("x", "Poisson.rates: are no rates"),
        (1001.0, r"input 'other': rate too high .got 1001.0, limit 1000 Hz"),
        (np.ones(29), r"input 'other': wrong shape .got \(29,\)"),
        (np.ones((9, 30)), r"input 'other': wrong shape .got \(9, 30\)"),
    ],
)
def test_what_is_refused(rates: Any, message: str) -> None:
    with load("reference", NETWORK) as backend, pytest.raises(ArgumentError, match=message):
        backend.step({"other": Poisson(rates)}, 10)
