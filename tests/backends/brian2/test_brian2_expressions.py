"""Test expressions as Brian2's statements: NumPy's bits on both engines."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from function_table import TABLE
from random_expressions import random_expressions, same_bits, values

from neurorl.backends.brian2.equations import assignments, expression_functions, expression_text
from neurorl.backends.brian2.vendor import brian2, cython_problem, exact_preferences
from neurorl.expressions import FUNCTIONS, Expression

Arrays = dict[str, npt.NDArray[np.float64]]


def values_in_brian2(
    engine: str, expressions: Sequence[Expression], names: Arrays
) -> npt.NDArray[np.float64]:
    """Return the values of expressions, a row for each, of a network that is run for one step."""
    kinds = {"number": "1", "boolean": "boolean"}
    model = [f"{name} : 1" for name in names]
    model += [f"y{k} : {kinds[e.kind]}" for k, e in enumerate(expressions)]
    n = len(next(iter(names.values())))
    with exact_preferences(engine), np.errstate(all="ignore"):
        clock = brian2.Clock(1e-3 * brian2.second)
        functions = expression_functions()
        group = brian2.NeuronGroup(n, "\n".join(model), namespace=functions, clock=clock)
        for name, value in names.items():
            setattr(group, name, value)
        lines = [f"y{k} = {expression_text(e)}" for k, e in enumerate(expressions)]
        group.run_regularly("\n".join(lines), when="groups")
        brian2.Network(group).run(1e-3 * brian2.second, namespace={})
        rows = [np.array(getattr(group, f"y{k}")) for k in range(len(expressions))]
    return np.array(rows, dtype=np.float64)


def small(seed: int, count: int) -> tuple[list[Expression], Arrays]:
    """Test short expressions, as compilers take a second for each, and the whole table."""
    expressions = random_expressions(seed, count, 7)
    expressions += [Expression(re.sub(r"\bv\b", f"v{k}", row[0])) for k, row in enumerate(TABLE)]
    special = {f"v{k}": np.resize(np.array(row[1], float), 61) for k, row in enumerate(TABLE)}
    return expressions, values(seed, 61) | special


@pytest.mark.parametrize(
    ("engine", "seed", "count"),
    [("numpy", 1, 300), ("cython", 2, 12)],
)
def test_random_expressions_and_special_values(engine: str, seed: int, count: int) -> None:
    if engine == "cython" and cython_problem() is not None:
        pytest.skip("Cython can't compile")
    expressions, names = small(seed, count)
    rows = values_in_brian2(engine, expressions, names)
    for expression, row in zip(expressions, rows, strict=True):
        assert same_bits(expression.evaluate(names), row), expression.text


def test_brian2_neither_sorts_nor_shares_what_is_assigned() -> None:
    """Show that it makes ``v *= 1.1`` of ``v = v + 0.1*v``, and ``w = v`` the same memory."""
    lines = [("w", "v"), ("v", "v + 0.1*v"), ("v", "v + 1"), ("u", "w + v"), ("w", "u")]
    code = assignments([(x, Expression(text)) for x, text in lines])
    assert code[:4] == ["w = 1.0*v", "new_1 = v + 0.1 * v", "v = new_1", "new_2 = v + 1.0"]
    v = np.random.default_rng(0).normal(0, 1, 50)
    with exact_preferences("numpy"):
        group = brian2.NeuronGroup(50, "v : 1\nw : 1\nu : 1", namespace={})
        group.v = v
        group.run_regularly("\n".join(code))
        brian2.Network(group).run(group.dt[:])
    changed = v + 0.1 * v + 1.0
    assert not np.array_equal(changed, 1.1 * v + 1.0)
    assert np.array_equal(np.array(group.v), changed)
    assert np.array_equal(np.array(group.w), v + changed)


def test_texts_are_readable() -> None:
    formula = Expression("(E - v)/tau + exp(v/2)*x**3")
    text = expression_text(formula, {"E": "E", "v": "v", "x": "x", "tau": "t_m"})
    assert text == "neurorl_divide(E - v, t_m) + neurorl_exp(v / 2.0) * neurorl_power(x, 3)"
    assert expression_text(Expression("not a < 1 or b >= 0.1")) == "not a < 1.0 or b >= 0.1"
    wanted = {f"neurorl_{name}" for name in (*FUNCTIONS, "power", "divide")}
    assert set(expression_functions()) == wanted
