"""Test the generator against the published vectors, and the draws made of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorl.numerics.random import (
    LOGISTIC_TABLE,
    DrawRows,
    NoiseRows,
    derive,
    derive_several,
    logistic,
    philox4x32,
    to_unit,
    words,
)

ONES = 0xFFFFFFFF


# Random123 1.14, tests/kat_vectors: philox4x32 with 10 rounds.
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((ONES, ONES, ONES, ONES), (ONES, ONES), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_known_answers(
    counter: tuple[int, int, int, int], key: tuple[int, int], expected: str
) -> None:
    drawn = philox4x32(counter, key[0] | key[1] << 32)
    assert " ".join(f"{int(word):08x}" for word in drawn) == expected


def test_words_are_where_the_counter_says() -> None:
    seed, stream, neuron, step = 2**40 + 7, 5, 3, 2**34 + 6
    block = step // 4
    expected = philox4x32((neuron, block & ONES, block >> 32, stream), seed)
    assert words(seed, stream, 9, step, 1)[0, neuron] == expected[step % 4]


@given(
    seed=st.integers(0, 2**63 - 1),
    first=st.integers(0, 2**40),
    split=st.integers(1, 30),
    total=st.integers(31, 40),
)
def test_words_do_not_depend_on_the_window(seed: int, first: int, split: int, total: int) -> None:
    whole = words(seed, 1, 4, first, total)
    assert np.array_equal(whole[split:], words(seed, 1, 4, first + split, total - split))
    assert np.array_equal(whole[:, :2], words(seed, 1, 2, first, total))


def test_rows_are_pure_functions_of_the_step() -> None:
    rows = NoiseRows(7, 2, 5)
    asked = [0, 3, 255, 256, 10**9, 1, 255]
    for step in asked:
        assert np.array_equal(rows(step), logistic(words(7, 2, 5, step, 1)[0]))
        assert np.array_equal(DrawRows(7, 2, 5)(step), to_unit(words(7, 2, 5, step, 1)[0]))


def test_the_logistic_table_is_the_distribution() -> None:
    """P(L > -x) is sigmoid(x) to within 2**-15, for any x."""
    x = np.linspace(-12, 12, 4001)
    above = 1 - np.searchsorted(LOGISTIC_TABLE, -x, side="right") / len(LOGISTIC_TABLE)
    assert np.abs(above - 1 / (1 + np.exp(-x))).max() <= 2.0**-15 + 1e-9
    assert np.array_equal(LOGISTIC_TABLE, -LOGISTIC_TABLE[::-1])


def test_draws_are_even_and_independent_of_neighbours() -> None:
    drawn = to_unit(words(1, 0, 64, 0, 4096))
    assert drawn.min() > 0
    assert drawn.max() < 1
    assert drawn.mean() == pytest.approx(0.5, abs=4 * (1 / 12) ** 0.5 / drawn.size**0.5)
    flat = drawn - 0.5
    for shifted in (flat[1:] * flat[:-1], flat[4:] * flat[:-4], flat[:, 1:] * flat[:, :-1]):
        assert abs(shifted.mean()) < 4 / 12 / shifted.size**0.5


@given(
    seed=st.integers(0, 2**63 - 1),
    purpose=st.integers(0, 2**32 - 1),
    first=st.integers(0, 2**63),
    n=st.integers(0, 5),
)
def test_seeds_derived_together_are_those_derived_one_by_one(
    seed: int, purpose: int, first: int, n: int
) -> None:
    one_by_one = [derive(seed, purpose, first + k) for k in range(n)]
    assert derive_several(seed, purpose, first, n) == one_by_one


def test_derived_seeds_differ_by_purpose() -> None:
    seeds = {derive(3), derive(3, 1), derive(3, 2), derive(3, 1, 1), derive(4, 1, 1)}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
