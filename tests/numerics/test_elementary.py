"""Compare exp, log, tanh, sin, cos and sums with Python's own, and the C twin bit for bit."""

from __future__ import annotations

import ctypes
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurorl.native import toolchain
from neurorl.native.build import CppSource
from neurorl.native.build import compiled as library_of
from neurorl.numerics.elementary import (
    COS_TERMS,
    cos,
    cospi,
    decay,
    dot,
    exp,
    log,
    on_grid,
    sigmoid,
    sin,
    tanh,
)

compiled = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
X = np.concatenate(
    [np.linspace(-720, 720, 4001), np.random.default_rng(0).normal(0, 5, 4000), [0.0, -0.0, 1e-300]]
)


def test_exp_to_two_units_in_the_last_place() -> None:
    true = np.array([math.exp(max(-700.0, min(700.0, x))) for x in X])
    assert np.abs(exp(X) / true - 1).max() < 2 * 2.0**-52
    assert exp(0.0) == 1.0


def units_off(value: np.ndarray, true: list[Decimal]) -> float:
    """Return the largest distance, in units of the last place of the true number."""
    pairs = zip(value.tolist(), true, strict=True)
    return max(float(abs(Decimal(v) - t) / Decimal(math.ulp(float(t)))) for v, t in pairs)


def test_log_to_one_unit_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([10.0 ** rng.uniform(-320, 308, 1500), rng.uniform(0.6, 1.6, 1500)])
    x = np.concatenate([x, 1.0 + rng.normal(0, 1e-6, 500), [5e-324, 2.0**-1022, 1.7e308]])
    with localcontext(prec=40):
        assert units_off(log(x), [Decimal(v).ln() for v in x.tolist()]) < 1.0
    assert np.array_equal(log(2.0 ** np.arange(0, 1000, 8)) != 0, np.arange(125) > 0)
    special = log([1.0, 0.0, -0.0, np.inf, -1.0, -np.inf, np.nan])
    assert np.array_equal(special, [0, -np.inf, -np.inf, np.inf, *[np.nan] * 3], equal_nan=True)


def test_tanh_and_sigmoid_to_three_units_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 0.5, 1500), rng.uniform(-30, 30, 500)])
    small = 10.0 ** rng.uniform(-100, -1, 500)
    with localcontext(prec=150):
        e = [Decimal(v).exp() for v in [*x.tolist(), *small.tolist()]]
        true_tanh = [(v - 1 / v) / (v + 1 / v) for v in e]
        assert units_off(tanh(np.concatenate([x, small])), true_tanh) < 3.0
        assert units_off(sigmoid(x), [1 / (1 + 1 / v) for v in e[: len(x)]]) < 3.0
    x = np.array([0.0, -0.0, np.inf, -np.inf, 22.0, -22.0, 5e-324, 1e308])
    assert [str(v) for v in tanh(x)] == [
        "0.0",
        "-0.0",
        "1.0",
        "-1.0",
        "1.0",
        "-1.0",
        "5e-324",
        "1.0",
    ]
    assert sigmoid(0.0) == 0.5
    assert sigmoid([40.0, 800.0, np.inf]).tolist() == [1.0] * 3
    assert sigmoid(-np.inf) == exp(-700.0)
    with np.errstate(invalid="ignore"):
        assert np.isnan([tanh(np.nan), sigmoid(np.nan), exp(np.nan)]).all()


def test_waves_to_two_to_the_minus_52() -> None:
    """Python's own are right to a unit in the last place, far from 0 too."""
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [
            rng.normal(0, 3, 5000),
            rng.uniform(-(2.0**30), 2.0**30, 5000),
            np.arange(-400, 401) * (math.pi / 4),
            10.0 ** rng.uniform(-300, 9, 500),
        ]
    )
    for ours, pythons in ((sin, math.sin), (cos, math.cos)):
        assert np.abs(ours(x) - [pythons(v) for v in x.tolist()]).max() <= 2.0**-52
    small = x[np.abs(x) < 0.7]
    assert units_off(sin(small), [Decimal(math.sin(v)) for v in small.tolist()]) <= 2.0
    for huge in (2.0**40, 1e300):
        assert abs(float(sin(huge))) <= 1.0
        assert abs(float(cos(huge))) <= 1.0


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


IN_C = """#include "elementary.h"
double neurorl::cos_terms[13];
extern "C" {
void set(const double *terms) { memcpy(neurorl::cos_terms, terms, sizeof neurorl::cos_terms); }
void exps(const double *x, double *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = neurorl::exp(x[i]);
}
void cosines(const double *x, double *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = neurorl::cospi(x[i]);
}
double dot(const double *a, const double *b, int64_t n) { return neurorl::dot(a, b, n); }
}
"""


@compiled
def test_c_has_the_same_bits() -> None:
    found = library_of(CppSource(IN_C), "test", "none")
    found.set((ctypes.c_double * 13)(*COS_TERMS))
    found.dot.restype = ctypes.c_double
    for function, ours in ((found.exps, exp), (found.cosines, cospi)):
        out = np.empty_like(X)
        addresses = (ctypes.c_void_p(a.__array_interface__["data"][0]) for a in (X, out))
        function(*addresses, ctypes.c_int64(len(X)))
        assert np.array_equal(out, ours(X))
    rng = np.random.default_rng(1)
    for n in range(1, 40):
        a, b = rng.normal(0, 1, (2, n))
        places = (ctypes.c_void_p(v.__array_interface__["data"][0]) for v in (a, b))
        assert found.dot(*places, ctypes.c_int64(n)) == dot(a, b)
