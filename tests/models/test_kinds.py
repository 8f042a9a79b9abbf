"""Test how rows are counted by their kinds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neurorl.models.defaults.kinds import kinds_of
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
