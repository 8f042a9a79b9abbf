"""Compare the rule with arrays computed by hand, and windowed forms with per-step ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurorl.errors import ArgumentError
from neurorl.numerics.arrays import Array
from neurorl.rules.three_factor import (
    apply_modulator,
    arrivals,
    eligibility,
    outer_sum,
    td_error,
    trace,
    window_traces,
)


def window_eligibility(e_0: Array, x: Array, f: Array, decay: float) -> Array:
    """Return `eligibility` after all steps of a window, by one matrix product."""
    n_steps = len(x)
    weighted = x * (decay ** np.arange(n_steps - 1, -1, -1.0))[:, None]
    return np.asarray(decay**n_steps * e_0 + outer_sum(weighted, f, e_0.shape))


def test_trace_by_hand() -> None:
    x = np.array([0.0, 1.0])
    x = trace(x, np.array([True, False]), 0.5)
    assert x.tolist() == [1.0, 0.5]
    x = trace(x, np.array([True, True]), 0.5)
    assert x.tolist() == [1.5, 1.25]


def test_eligibility_by_hand() -> None:
    e = eligibility(np.array([[1.0, 2.0]]), np.array([3.0]), np.array([1.0, -1.0]), 0.5)
    assert e.tolist() == [[3.5, -2.0]]


def test_window_by_hand() -> None:
    """Spikes at 0 and 2 arrive at 1 and 3; with decay 1/2, traces are 0, 1, 1/2, 5/4."""
    spikes = np.array([[1], [0], [1], [0]], dtype=bool)
    x = window_traces(arrivals(spikes, 1), 0.5)
    assert x.ravel().tolist() == [0.0, 1.0, 0.5, 1.25]
    f = np.array([[1.0], [2.0], [0.0], [4.0]])
    assert window_eligibility(np.zeros((1, 1)), x, f, 1.0).item() == 2.0 + 5.0
    assert window_eligibility(np.ones((1, 1)), x, f, 0.5).item() == 2.0 / 4 + 5.0 + 1 / 16


def test_modulator_by_hand() -> None:
    w = apply_modulator(np.array([0.0, 0.9, -0.9]), np.array([1.0, 2.0, 3.0]), -0.5, 0.2, -1, 1)
    assert w.tolist() == [-0.1, 0.7, -1.0]


def test_td_error_by_hand() -> None:
    assert td_error(1.0, 0.9, 2.0, 3.0) == pytest.approx(1.7)
    assert td_error(1.0, 0.0, 2.0, 3.0) == -1.0  # terminal: nothing follows


windows = st.integers(1, 12)
decays = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.01, 0.99))


@settings(max_examples=60, deadline=None)
@given(st.data(), windows, decays)
def test_window_traces_equal_the_steps(data: st.DataObject, n_steps: int, decay: float) -> None:
    drawn = data.draw(hnp.arrays(np.bool_, (n_steps, 5)))
    arrived = drawn.astype(np.float64)
    x = np.zeros(5)
    expected = []
    for row in arrived:
        x = trace(x, row, decay)
        expected.append(x)
    # Each step rounds to half of 2**-20, and n such errors have not yet decayed.
    assert np.allclose(window_traces(arrived, decay), expected, rtol=0, atol=n_steps * 2.0**-21)
    cut = n_steps // 2
    first = window_traces(arrived[: cut + 1], decay)
    second = window_traces(arrived[cut + 1 :], decay, first[-1]) if cut + 1 < n_steps else first[:0]
    assert np.array_equal(np.vstack([first, second]), window_traces(arrived, decay))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), windows, decays, st.sampled_from([(6, 4), (2, 3, 2), (3, 2, 1)]))
def test_window_eligibility_equals_the_steps(
    seed: int, n_steps: int, decay: float, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    blocks = shape[0] if len(shape) == 3 else 1
    n_pre, n_post = blocks * shape[-2], blocks * shape[-1]
    x, f = rng.normal(size=(n_steps, n_pre)), rng.normal(size=(n_steps, n_post))
    dense = np.zeros((n_pre, n_post))
    e_0 = rng.normal(size=shape)
    for block in range(blocks):
        rows = slice(block * shape[-2], (block + 1) * shape[-2])
        columns = slice(block * shape[-1], (block + 1) * shape[-1])
        dense[rows, columns] = e_0.reshape(blocks, *shape[-2:])[block]
    for x_t, f_t in zip(x, f, strict=True):
        dense = eligibility(dense, x_t, f_t, decay)
    seen = window_eligibility(e_0, x, f, decay).reshape(blocks, *shape[-2:])
    for block in range(blocks):
        rows = slice(block * shape[-2], (block + 1) * shape[-2])
        columns = slice(block * shape[-1], (block + 1) * shape[-1])
        assert np.allclose(seen[block], dense[rows, columns], rtol=1e-10, atol=1e-10)


def test_shapes_that_do_not_fit_are_refused() -> None:
    x, f = np.zeros((4, 3)), np.zeros((4, 2))
    for post, shape in ((f, (2, 3, 2)), (f[:3], (3, 2))):
        with pytest.raises(ArgumentError, match="shapes don't fit"):
            outer_sum(x, post, shape)
    with pytest.raises(ArgumentError, match=r"needs \(steps, neurons\)"):
        window_traces(x[0], 0.5)
