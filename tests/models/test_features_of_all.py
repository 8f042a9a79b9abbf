"""Features of many observations at once are, bit for bit, those of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.models.features import (
    RBF,
    BinnedCombinations,
    Combinations,
    Concat,
    Features,
    Fourier,
    GaussianCells,
    OneHot,
    PlaceCells,
    Tiles,
)

LOW, HIGH = (-2.4, -np.inf, -0.21), (2.4, np.inf, 0.21)
OF_NUMBERS = [
    GaussianCells(LOW, HIGH),
    GaussianCells(LOW, HIGH, 1),
    RBF(LOW, HIGH, 3),
    Tiles(LOW, HIGH, 8, 3),
    BinnedCombinations(LOW, HIGH),
    Fourier(LOW, HIGH),
    Concat((Tiles(LOW[:2], HIGH[:2]), GaussianCells(LOW[2:], HIGH[2:]))),
]
OF_STATES = [OneHot(20, 1), PlaceCells(5, 4, 1), Combinations(20, 3, 6, 1)]


@pytest.mark.parametrize("features", OF_NUMBERS, ids=lambda f: type(f).__name__)
def test_of_numbers(features: Features) -> None:
    flat = np.asarray(np.random.default_rng(1).normal(0.0, 1.5, (50, 3)))
    _same(features, flat)


@pytest.mark.parametrize("features", OF_STATES, ids=lambda f: type(f).__name__)
def test_of_states(features: Features) -> None:
    _same(features, np.arange(1.0, 21.0)[:, None])


def _same(features: Features, flat: Any) -> None:
    found = features.of_all(flat)
    assert found.shape == (len(flat), features.size)
    assert np.array_equal(found, np.stack([features.values(row) for row in flat]))
    assert found.any()
