"""Test how rows are counted by their kinds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neurorl.models.defaults.kinds import BLOCK, kinds_of, left_by
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import acted_on

NUMBERS = st.sampled_from([-1.5, -0.0, 0.0, 1e-300, 1.0, 2.0**53, 1e308])


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(0, 60), st.integers(0, 4)), elements=NUMBERS)
)
def test_rows_are_of_one_kind_if_they_are_equal(rows: FloatArray) -> None:
    of_rows = rows == rows[:, None]
    kinds = kinds_of(rows)
    assert np.array_equal(kinds[:, None] == kinds, of_rows.all(axis=2))
    assert np.array_equal(np.unique(kinds), np.arange(kinds.max(initial=-1) + 1))  # numbered from 0


@pytest.mark.parametrize("columns", [1, 3])
def test_kinds_of_several_numbers_are_those_of_all_together(columns: int) -> None:
    rows: FloatArray = np.mod(np.arange(12.0 * columns), 5.0).reshape(12, columns)
    whole = np.arange(12)[:, None] % 2
    together = kinds_of(np.concatenate([rows, whole], axis=1))
    assert np.array_equal(kinds_of(rows, whole), together)


@pytest.mark.parametrize(
    ("lengths", "places"), [([], []), ([1], []), ([1, 3, 2], [1, 2, 4]), ([4], [0, 1, 2])]
)
def test_all_but_the_last_observation_of_an_episode_are_acted_on(
    lengths: list[int], places: list[int]
) -> None:
    assert acted_on(lengths).tolist() == places


@given(st.integers(1, 4 * BLOCK), st.integers(0, 2**32 - 1))
def test_each_half_is_told_by_means_of_the_other(n: int, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    coarser, y = drawn.integers(0, 3, n), drawn.normal(size=n)
    kinds = 2 * coarser + drawn.integers(0, 2, n)
    expected = []
    for row in range(n):
        others = np.arange(n) // BLOCK % 2 != row // BLOCK % 2
        known = 0.0
        for codes in (coarser, kinds):
            of_kind = y[others & (codes == codes[row])]
            known = (of_kind.sum() + known) / (len(of_kind) + 1.0)
        expected.append((y[row] - known) ** 2)
    assert np.allclose(left_by(kinds, coarser, y), expected, rtol=1e-9, atol=1e-12)
