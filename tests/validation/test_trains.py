"""Measures of spikes: by hand, and van Rossum's distance as Elephant computes it."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

from neurorl.validation.tolerance import Limits, measured, unmatched, van_rossum

EMPTY = np.zeros((40, 1), dtype=bool)


def train(*steps: int) -> Any:
    raster = EMPTY.copy()
    raster[list(steps)] = True
    return raster


@pytest.mark.parametrize(
    ("ours", "theirs", "lone"),
    [
        ((3, 9), (3, 9), 0),
        ((3, 9), (4, 8), 0),
        ((3, 9), (5, 9), 2),
        ((3, 4, 5), (4, 5, 6), 0),  # each has one of its own, in order
        ((3, 4), (4,), 1),
        ((), (1, 2), 2),
        ((39,), (), 1),
    ],
)
def test_spikes_meet_within_a_step(
    ours: tuple[int, ...], theirs: tuple[int, ...], lone: int
) -> None:
    assert unmatched(train(*ours), train(*theirs)) == lone
    assert unmatched(train(*theirs), train(*ours)) == lone


def test_the_limit_is_a_lone_spike_that_comes_a_step_late() -> None:
    assert van_rossum(train(5), EMPTY) == pytest.approx(1.0)
    assert van_rossum(train(5), train(6)) == pytest.approx(Limits().van_rossum, abs=1e-3)
    found = {m.quantity: m.difference for m in measured(train(5), train(6))}
    assert found == {"rate": 0.0, "spike times": 0.0, "van Rossum": pytest.approx(0.312, abs=1e-3)}


def test_spikes_where_none_are_described_are_as_far_as_can_be() -> None:
    found = {m.quantity: m.difference for m in measured(EMPTY, train(5))}
    assert found == {"rate": 1.0, "spike times": 1.0, "van Rossum": math.inf}


def test_van_rossum_is_elephants() -> None:
    neo: Any = pytest.importorskip("neo", reason="neo is not installed")
    pytest.importorskip("elephant", reason="elephant is not installed")
    module: Any = importlib.import_module("elephant.spike_train_dissimilarity")
    pq: Any = importlib.import_module("quantities")
    rasters = np.random.default_rng(3).random((2, 200, 1)) < 0.1
    trains = [
        neo.SpikeTrain(np.flatnonzero(raster) * pq.s, t_stop=200 * pq.s) for raster in rasters
    ]
    theirs = module.van_rossum_distance(trains, time_constant=20.0 * pq.s)[0, 1]
    assert van_rossum(*rasters) == pytest.approx(float(theirs), rel=1e-9)
