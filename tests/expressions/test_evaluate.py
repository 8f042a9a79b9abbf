"""Test values of expressions in NumPy: every function's special values, and no warning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from function_table import TABLE
from random_expressions import SPECIAL, random_expressions, same_bits, values

from neurorl.errors import ArgumentError
from neurorl.expressions import FUNCTIONS, Expression


@pytest.mark.parametrize(("text", "given", "wanted"), TABLE, ids=[row[0] for row in TABLE])
def test_special_values(text: str, given: list[float], wanted: list[float]) -> None:
    assert same_bits(Expression(text).evaluate({"v": given}), np.array(wanted, dtype=np.float64))


def test_every_function_is_in_the_table() -> None:
    texts = " ".join(row[0] for row in TABLE)
    assert all(f"{name}(" in texts for name in FUNCTIONS)


def test_from_the_left_and_as_python_computes() -> None:
    names = {"a": 0.1, "b": 1 / 3, "c": 7e-5, "d": 1e16}
    for text in ("a + b + c - d + d", "a*b/c*d", "a - (b - c)", "-a**3 + b**5", "d + a - d + 2*c"):
        value = Expression(text).evaluate(names)
        with_products = text.replace("a**3", "(a*a*a)").replace("b**5", "(b*b*b*b*b)")
        assert value == eval(with_products, dict(names))
        assert value.dtype == np.float64


def test_functions_are_those_of_mathematics() -> None:
    for name in ("exp", "log", "sqrt", "tanh", "floor"):
        value = Expression(f"{name}(v)").evaluate({"v": 1.7})
        assert value == pytest.approx(getattr(math, name)(1.7), rel=1e-15)
    assert Expression("sigmoid(v)").evaluate({"v": 1.7}) == pytest.approx(1 / (1 + math.exp(-1.7)))


def test_arrays_are_broadcast_and_booleans_are_numbers() -> None:
    names = {"spike": np.array([True, False]), "p": np.array([[0.5], [2.0], [3.0]])}
    value = Expression("spike - p").evaluate(names)
    assert value.tolist() == [[0.5, -0.5], [-1.0, -2.0], [-2.0, -3.0]]
    is_large = Expression("p > 1 and spike == 1").evaluate(names | {"unused": np.array("text")})
    assert is_large.dtype == np.bool_
    assert is_large.tolist() == [[False, False], [True, False], [True, False]]
    assert Expression("2**3 + 1").evaluate({}) == 9.0
    assert Expression("1 > 2").evaluate({}).dtype == np.bool_


def test_what_has_no_value() -> None:
    with pytest.raises(ArgumentError, match="'b' has no value"):
        Expression("a + b").evaluate({"a": 1.0})
    with pytest.raises(ArgumentError, match="'a' is no array of numbers"):
        Expression("a").evaluate({"a": "text"})


def test_nothing_warns() -> None:
    """Make warnings errors in these tests."""
    names = values(0, 64)
    for expression in random_expressions(0, 200):
        expression.evaluate(names)
    for name, function in FUNCTIONS.items():
        arguments = ["v > 0" if kind == "boolean" else "v" for kind in function.arguments]
        Expression(f"{name}({', '.join(arguments)})").evaluate({"v": SPECIAL})
