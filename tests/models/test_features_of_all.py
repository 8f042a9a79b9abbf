"""Features of many observations at once are, bit for bit, those of each."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.learning.loops.native_features import in_c, is_compiled
from neurorl.models.features import (
    RBF,
    BinnedCombinations,
    Combinations,
    Concat,
    Features,
    Fourier,
    GaussianCells,
    JointStates,
    OneHot,
    PlaceCells,
    Select,
    SelectChanges,
    SubtractMean,
    Tiles,
)
from neurorl.native import toolchain
from neurorl.native.build import library

LOW, HIGH = (-2.4, -np.inf, -0.21), (2.4, np.inf, 0.21)
OF_NUMBERS = [
    GaussianCells(LOW, HIGH),
    GaussianCells(LOW, HIGH, 1),
    RBF(LOW, HIGH, 3),
    Tiles(LOW, HIGH, 8, 3),
    BinnedCombinations(LOW, HIGH),
    Fourier(LOW, HIGH),
    Concat((Tiles(LOW[:2], HIGH[:2]), GaussianCells(LOW[2:], HIGH[2:]))),
    Concat(tuple(Tiles(low, high, 4, 3) for low, high in zip(LOW, HIGH, strict=True))),
    Concat(
        (
            Tiles(LOW[:1], HIGH[:1], 4, 3),
            Tiles(LOW[1:2], HIGH[1:2], 4, 3),
            Tiles(LOW[2:], HIGH[2:], 4, 2),  # of another shape
        )
    ),
]
OF_NUMBERS += [
    SubtractMean(Fourier(LOW, HIGH, 2), np.linspace(-1, 1, 27)),
    SubtractMean(OF_NUMBERS[-1], np.linspace(0, 1, OF_NUMBERS[-1].size)),
    Select(Concat((Tiles(LOW[:2], HIGH[:2], 4, 3),) * 2), (0, 1, 1, 2), 3),
    SelectChanges(Concat((Tiles(LOW[:2], HIGH[:2], 4, 3),) * 2), (0, 1, 1, 2), 3, (-1, 0, -1, 0)),
]
OF_STATES = [OneHot(20, 1), PlaceCells(5, 4, 1), Combinations(20, 3, 6, 1)]


@pytest.mark.parametrize("features", OF_NUMBERS, ids=lambda f: type(f).__name__)
def test_of_numbers(features: Features) -> None:
    flat = np.asarray(np.random.default_rng(1).normal(0.0, 1.5, (50, features.n_inputs)))
    _same(features, flat)


@pytest.mark.parametrize("features", OF_STATES, ids=lambda f: type(f).__name__)
def test_of_states(features: Features) -> None:
    _same(features, np.arange(1.0, 21.0)[:, None])


@pytest.mark.parametrize("features", OF_NUMBERS, ids=lambda f: type(f).__name__)
def test_compiled_ones_are_the_same(features: Features) -> None:
    if toolchain.problem() is not None:
        pytest.skip("there is no C++ compiler")
    assert is_compiled(features)
    compiled, out = in_c(features), np.zeros(features.size)
    for flat in np.random.default_rng(2).normal(0.0, 1.5, (20, features.n_inputs)):
        call = library().neurorl_features
        known = call(ctypes.byref(compiled), _place(flat), _place(out))
        assert known == -1
        assert np.array_equal(out, features.values(flat))


def _place(numbers: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(numbers.ctypes.data)


def test_numbers_are_picked() -> None:
    picked = Select(GaussianCells((0, 0, -1), (1, 1, 1), 3), (2, 2, 0), 4)
    shown = np.array([[0.5, 9.0], [0.25, 9.0]])
    assert picked.flat(shown).tolist() == [0.25, 0.25, 0.5]
    assert np.array_equal(picked(shown), picked.of.values(np.array([0.25, 0.25, 0.5])))
    assert type(picked).from_dict(picked.to_dict()) == picked
    with pytest.raises(ArgumentError, match="another size"):
        picked(np.zeros(5))
    with pytest.raises(DescriptionError, match="places"):
        Select(GaussianCells((0,), (1,)), (1, 2), 4)
    with pytest.raises(DescriptionError, match="places"):
        Select(GaussianCells((0,), (1,)), (4,), 4)


def test_changes_of_numbers_are_picked() -> None:
    of = GaussianCells((0, 0, -1), (1, 1, 1), 3)
    picked = SelectChanges(of, (2, 2, 0), 4, (-1, 1, 3))
    shown = np.array([[0.5, 0.125], [0.25, 2.0]])
    assert picked.flat(shown).tolist() == [0.25, 0.125, -1.5]
    assert shown.tolist() == [[0.5, 0.125], [0.25, 2.0]]
    assert np.array_equal(picked(shown), of.values(np.array([0.25, 0.125, -1.5])))
    assert type(picked).from_dict(picked.to_dict()) == picked
    with pytest.raises(ArgumentError, match="another size"):
        picked(np.zeros(5))
    for before in ((-1, 1), (-1, 1, 4), (-2, 1, 3)):
        with pytest.raises(DescriptionError, match="before"):
            SelectChanges(of, (2, 2, 0), 4, before)


def test_combinations_of_numbers_have_a_cell_each() -> None:
    cells = JointStates((2, 3), (5, 0), ("a", "b"))
    assert cells.size == 6
    seen = [cells({"a": a, "b": b}).tolist() for a in (5, 6) for b in range(3)]
    assert seen == np.eye(6).tolist()
    assert JointStates((2, 3), (0, 0))((1, 2)).tolist() == [0, 0, 0, 0, 0, 1]
    assert type(cells).from_dict(cells.to_dict()) == cells
    with pytest.raises(ArgumentError, match="no such state"):
        cells({"a": 4, "b": 0})
    with pytest.raises(DescriptionError, match="starts"):
        JointStates((2, 3), (0,))
    with pytest.raises(DescriptionError, match="states"):
        JointStates((2**20, 2**20), (0, 0))


def _same(features: Features, flat: Any) -> None:
    found = features.of_all(flat)
    assert found.shape == (len(flat), features.size)
    assert np.array_equal(found, np.stack([features.values(row) for row in flat]))
    assert found.any()
