"""exp, cos and sums against Python's own, and the C twin against them bit for bit."""

from __future__ import annotations

import ctypes
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurorl.native import toolchain
from neurorl.native.build import library
from neurorl.numerics.elementary import cospi, decay, dot, exp, on_grid

compiled = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
X = np.concatenate(
    [np.linspace(-720, 720, 4001), np.random.default_rng(0).normal(0, 5, 4000), [0.0, -0.0, 1e-300]]
)


def test_exp_to_two_units_in_the_last_place() -> None:
    true = np.array([math.exp(max(-700.0, min(700.0, x))) for x in X])
    assert np.abs(exp(X) / true - 1).max() < 2 * 2.0**-52
    assert exp(0.0) == 1.0


def test_cospi() -> None:
    y = np.concatenate([np.linspace(-13, 13, 5201), np.arange(-9, 10) / 2])
    # Python's own cos of pi times y is off by the rounding of that product.
    assert np.abs(cospi(y) - [math.cos(math.pi * v) for v in y]).max() < 3e-14
    assert np.array_equal(cospi(np.arange(-4.0, 5.0)), np.tile([1.0, -1.0], 5)[:9])


def test_decay() -> None:
    assert decay(1e-3, 20e-3) == pytest.approx(math.exp(-0.05), rel=1e-15)
    assert decay(1e-3, 0.0) == 0.0


@given(hnp.arrays(np.float64, st.integers(1, 70), elements=st.floats(-1e3, 1e3)))
def test_dot_is_the_sum_of_products(a: np.ndarray) -> None:
    b = a[::-1].copy()
    true = float(sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction()))
    assert dot(a, b) == pytest.approx(true, rel=1e-12, abs=1e-9)


def test_dot_sums_every_eighth_product_first() -> None:
    """1e16 + 1 is lost, unless the 1 waits in a lane of its own: 1e16 and -1e16 are in one."""
    a = np.zeros(9)
    a[0], a[1], a[8] = 1e16, 1.0, -1e16
    assert dot(a, np.ones(9)) == 1.0


def test_on_grid() -> None:
    assert on_grid(0.3) == round(0.3 * 2**20) / 2**20


@compiled
def test_c_has_the_same_bits() -> None:
    found = library()
    for function, ours in ((found.neurorl_exp, exp), (found.neurorl_cospi, cospi)):
        out = np.empty_like(X)
        addresses = (ctypes.c_void_p(a.__array_interface__["data"][0]) for a in (X, out))
        function(*addresses, ctypes.c_int64(len(X)))
        assert np.array_equal(out, ours(X))
    rng = np.random.default_rng(1)
    for n in range(1, 40):
        a, b = rng.normal(0, 1, (2, n))
        places = (ctypes.c_void_p(v.__array_interface__["data"][0]) for v in (a, b))
        assert found.neurorl_dot(*places, ctypes.c_int64(n)) == dot(a, b)
