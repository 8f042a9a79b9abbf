"""Test the papers' combinatorial codes: known answers by hand, and properties of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features import BinnedCombinations, Combinations, Features


def test_the_two_of_four_in_lexicographic_order() -> None:
    cells = Combinations(6, 2, 4, start=1)
    assert [cells(state).tolist() for state in range(1, 7)] == [
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [1, 0, 0, 1],
        [0, 1, 1, 0],
        [0, 1, 0, 1],
        [0, 0, 1, 1],
    ]


def test_groups_hold_the_codes_of_a_combination() -> None:
    """The 3 codes of 1 among 3 are 100, 010, 001; their pairs 01, 02, 12."""
    cells = Combinations(3, 1, 3, groups=2)
    assert [cells(state).tolist() for state in range(3)] == [
        [1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 0, 1],
    ]


def test_the_papers_gridworld_code() -> None:
    """The first state's code has the first three of the combinations 01, 02, 03, 04, 12, ..."""
    cells = Combinations(100, 2, 5, start=1, groups=3)
    assert cells(1).tolist() == [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0]
    # Eight states have the codes 01 and 02; then come 01, 03 and 04.
    assert cells(9).tolist() == [1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1]
    assert cells.size == 15


def test_bins_of_each_dimension() -> None:
    cells = BinnedCombinations([0.0, -1.0], [1.0, 1.0], bins=4, active=2, channels=4)
    #  bins: [0, 1/4), ... of the first; [-1, -1/2), ... of the second
    assert cells([0.0, 0.1]).tolist() == [1, 1, 0, 0, 1, 0, 0, 1]
    assert cells([0.25, -2.0]).tolist() == [1, 0, 1, 0, 1, 1, 0, 0]
    assert cells([1.0, 9.0]).tolist() == [0, 1, 1, 0, 0, 1, 1, 0]


@given(st.integers(1, 7), st.data())
def test_codes_are_distinct_and_have_so_many_active(channels: int, data: st.DataObject) -> None:
    active = data.draw(st.integers(1, channels))
    codes = math.comb(channels, active)
    groups = data.draw(st.integers(1, min(3, codes)))
    n = data.draw(st.integers(1, min(math.comb(codes, groups), 300)))
    cells = Combinations(n, active, channels, groups=groups)
    made = np.array([cells(state) for state in range(n)])
    assert made.shape == (n, cells.size)
    assert len(np.unique(made, axis=0)) == n
    assert np.isin(made, (0.0, 1.0)).all()
    assert (made.reshape(n, groups, channels).sum(axis=2) == active).all()
    again = Features.from_dict(cells.to_dict())
    assert again == cells


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Combinations(11, 2, 5), "n.*11.*10"),
        (lambda: Combinations(121, 2, 5, groups=3), "n.*121.*120"),
        (lambda: Combinations(1, 6, 5), "active.*6.*5"),
        (lambda: Combinations(1, 0, 5), "active.*0"),
        (lambda: BinnedCombinations([0], [1], bins=7, active=2, channels=4), "bins.*7.*6"),
    ],
)
def test_too_few_codes_are_refused(make: Any, says: str) -> None:
    with pytest.raises(DescriptionError, match=says):
        make()


def test_a_state_without_a_code() -> None:
    with pytest.raises(ArgumentError, match="no such state"):
        Combinations(5, 2, 5, start=1)(0)
