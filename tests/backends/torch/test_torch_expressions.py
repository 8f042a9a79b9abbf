"""Test expressions on tensors: NumPy's bits, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from function_table import TABLE
from hypothesis import given
from hypothesis import strategies as st
from random_expressions import NAMES, random_expressions, same_bits, values

from neurorl.errors import ArgumentError
from neurorl.expressions import FUNCTIONS, Expression

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl.backends.torch.expressions import evaluate_tensors  # noqa: E402

torch.set_num_threads(1)  # others test beside us

# Text, its derivative by v as another one, and where both are taken.
SMOOTH = [-2.5, -1.0, -0.3, 1e-9, 0.2, 1.0, 3.0]
POSITIVE = [1e-3, 0.2, 1.0, 7.0]
DERIVATIVES = [
    ("abs(v)", "sign(v)", SMOOTH),
    ("clip(v, -1, 2)", "where(v >= -1 and v <= 2, 1, 0)", SMOOTH),
    ("exp(v)", "exp(v)", [*SMOOTH, 690.0]),
    ("exp(v)", "0", [-701.0, 800.0]),
    ("floor(v)", "0", SMOOTH),
    ("trunc(v)", "0", SMOOTH),
    ("log(v)", "1/v", POSITIVE),
    ("max(v, 0.2)", "where(v >= 0.2, 1, 0)", SMOOTH),
    ("min(0.2, v)", "where(v < 0.2, 1, 0)", SMOOTH),
    ("sigmoid(v)", "sigmoid(v)*sigmoid(-v)", SMOOTH),
    ("sign(v)", "0", SMOOTH),
    ("sqrt(v)", "0.5/sqrt(v)", POSITIVE),
    ("sin(v)", "cos(v)", SMOOTH),
    ("cos(v)", "-sin(v)", SMOOTH),
    ("tanh(v)", "1 - tanh(v)**2", SMOOTH),
    ("where(v > 0, v**3, -2*v)", "where(v > 0, 3*v**2, -2)", SMOOTH),
    ("exp(tanh(v)*log(v))/(1 + v)", None, POSITIVE),
]


@given(st.integers(0, 2**32))
def test_random_expressions(seed: int) -> None:
    names = values(seed, 61)
    tensors = {name: torch.tensor(value) for name, value in names.items()}
    for expression in random_expressions(seed, 5, 20):
        value = evaluate_tensors(expression, tensors)
        assert same_bits(expression.evaluate(names), value.numpy()), expression.text
        assert value.dtype == (torch.float64 if expression.kind == "number" else torch.bool)


@pytest.mark.parametrize(("text", "given", "wanted"), TABLE, ids=[row[0] for row in TABLE])
def test_special_values(text: str, given: list[float], wanted: list[float]) -> None:
    tensor = torch.tensor(given, dtype=torch.float64)
    value = evaluate_tensors(Expression(text), {"v": tensor})
    assert same_bits(np.array(wanted, dtype=np.float64), value.numpy())


def test_roots_are_rounded_as_ieee_754_does() -> None:
    """PyTorch's own function differs in the last bit for one number in a hundred."""
    x = np.random.default_rng(0).random(20_000)
    value = evaluate_tensors(Expression("sqrt(v)"), {"v": torch.tensor(x)})
    assert same_bits(np.sqrt(x), value.numpy())


@pytest.mark.parametrize(("text", "derivative", "points"), DERIVATIVES)
def test_gradients(text: str, derivative: str | None, points: list[float]) -> None:
    v = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(evaluate_tensors(Expression(text), {"v": v}).sum(), v)
    step = 1e-6
    ahead, back = (Expression(text).evaluate({"v": np.array(points) + h}) for h in (step, -step))
    if derivative is not None:
        true = np.broadcast_to(Expression(derivative).evaluate({"v": points}), len(points))
        assert gradient.numpy() == pytest.approx(true, rel=1e-13, abs=1e-15)
    far_from_corners = np.abs(np.subtract.outer(points, [0, -1, 0.2, 1, 3])).min(axis=1) > 1e-5
    differences = ((ahead - back) / (2 * step))[far_from_corners]
    assert gradient.numpy()[far_from_corners] == pytest.approx(differences, rel=1e-6, abs=1e-7)


def test_every_function_has_a_derivative_here() -> None:
    texts = " ".join(row[0] for row in DERIVATIVES)
    assert all(f"{name}(" in texts for name in FUNCTIONS)


def test_gradients_of_gradients() -> None:
    v = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    value = evaluate_tensors(Expression("exp(v)*tanh(v) + sigmoid(v)*log(v)*sqrt(v)"), {"v": v})
    assert torch.autograd.gradgradcheck(
        lambda v: evaluate_tensors(Expression("exp(v)*tanh(v) + log(v)*sqrt(v)"), {"v": v}), v
    )
    assert value.requires_grad


def test_tensors_of_other_types_and_what_is_missing() -> None:
    names = {"v": torch.tensor([True, False]), "w": torch.tensor(0.5, dtype=torch.float32)}
    value = evaluate_tensors(Expression("v - w"), names)
    assert value.dtype == torch.float64
    assert value.tolist() == [0.5, -0.5]
    assert evaluate_tensors(Expression("1/0"), {}).item() == np.inf
    wrongs: list[dict[str, Any]] = [{"v": 1.0}, {}]
    for wrong in wrongs:
        with pytest.raises(ArgumentError, match="'v' has no tensor"):
            evaluate_tensors(Expression("v"), wrong)
    assert set(NAMES) == {"v", "w", "tau", "q"}
