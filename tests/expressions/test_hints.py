"""Test what is said of names and functions that other languages of neurons have."""

from __future__ import annotations

import re

import pytest

from neurorl.expressions import FUNCTIONS, Expression, ExpressionError
from neurorl.expressions.scan import ELSEWHERE
from neurorl.models import Equations


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_elsewhere_is_told_what_to_do(name: str) -> None:
    """Each is refused with its own remedy, as a function and as a name, never with another name."""
    said = re.escape(f"it isn't in the language: {ELSEWHERE[name]}")
    with pytest.raises(ExpressionError, match=said) as told:
        Expression(f"1 + {name}(v)")
    assert "did you mean" not in str(told.value)
    with pytest.raises(ExpressionError, match=said):
        Expression(f"1 + {name}").check({"v", "tau"})
    assert name not in FUNCTIONS
    assert Expression(f"2*{name}").check({name}).names == (name,)  # a user's own name stays


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_told_is_in_the_language(name: str) -> None:
    """A remedy that is a formula can be written."""
    if ELSEWHERE[name].startswith("write "):
        Expression(ELSEWHERE[name].removeprefix("write ").partition(", or")[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tahn(v)", "did you mean 'tanh'"),
        ("expp(v)", "did you mean 'exp'"),
        ("sgn(v)", "did you mean 'sign'"),
        ("gauss(v)", "known: abs, clip"),
        ("I_ext(t)", "what changes in time arrives at an input"),
        ("v**0.5", r"write sqrt\(x\)$"),
        ("v**-2", r"write 1/x\*\*2$"),
        ("v**-0.5", r"write 1/sqrt\(x\)$"),
        ("v**2.0", r"write x\*\*2$"),
        ("v**w", r"write exp\(y\*log\(x\)\) for x\*\*y$"),
    ],
)
def test_only_what_is_near_is_taken_for_a_slip(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        Expression(text)


def test_names_of_neurons() -> None:
    for line, said in {
        "dv/dt = -v/tau + randn": "may have xi, white noise",
        "dv/dt = -v/tau + stim": "what changes in time",
        "dv/dt = -v/taau + q": "did you mean 'tau'",
        "dv/dt = -v/tau + current": "known: dt, q, tau, v",
    }.items():
        with pytest.raises(ExpressionError, match=said):
            Equations(line, "v > 1", method="exact", parameters={"tau": 0.02})
