"""Draws in C++ are those of the generator in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorl.native import toolchain
from neurorl.native.draws import quick_words
from neurorl.numerics.random import Stream, words

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


@given(
    seed=st.integers(0, 2**63 - 1),
    stream=st.sampled_from((0, 5, *map(int, Stream))),
    n=st.integers(1, 40),
    first=st.integers(0, 2**40),
    n_steps=st.integers(0, 13),
)
def test_they_are_the_same(seed: int, stream: int, n: int, first: int, n_steps: int) -> None:
    drawn = quick_words(seed, stream, n, first, n_steps)
    expected = words(seed, stream, n, first, n_steps)
    assert drawn.dtype == expected.dtype
    assert np.array_equal(drawn, expected)
