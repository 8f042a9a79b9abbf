"""Test updates and differential equations, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorl.errors import DescriptionError
from neurorl.expressions import ExpressionError, read_statements
from neurorl.expressions.expression import MAX_LETTERS, MAX_STATEMENTS


def test_updates_and_equations() -> None:
    text = "dv/dt = (E - v)/tau  # leak\n\n I = 3; u += d*2\n d w / dt=-w"
    with pytest.raises(DescriptionError, match="line 4"):
        read_statements(text, "equations", derivatives=True)
    made = read_statements(text.replace("d w", "dw"), "equations", derivatives=True)
    assert [str(s) for s in made] == ["dv/dt = (E - v)/tau", "I = 3", "u = u + (d*2)", "dw/dt = -w"]
    assert [s.variable for s in made] == ["v", "I", "u", "w"]
    assert [s.is_derivative for s in made] == [True, False, False, True]
    assert read_statements("", "reset") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u = 1\nv = v + ", r"reset, line 2, character 7: ends in '\+'"),
        ("v == 3", "line 1, character 1: isn't an assignment"),
        ("v", "isn't an assignment.*write x = ..."),
        ("dv/dt = 3", "no place for a derivative"),
        ("v = 1; u = w..x", "line 1, character 13: '.' isn't in the language"),
        ("exp = 3", "'exp' is no name"),
        ("if = 3", "'if' is no name"),
        (" v = v > 2", "line 1, character 6: a boolean where a number is needed"),
        ("u += v > 2", "line 1, character 6: a boolean"),
        ("z = 3", "line 1, character 1: 'z' can't be set here.*what can be set: u, v"),
        ("v = 2\n" * (MAX_STATEMENTS + 1), "line 101, character 1: too many statements"),
        ("v = 2;" * (MAX_STATEMENTS + 1), "line 1, character 601: too many statements"),
        ("\n" * (MAX_LETTERS + 1), "too long"),
    ],
)
def test_errors_say_line_and_character(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        read_statements(text, "reset", targets=("u", "v"))


def test_derivatives_are_set_once_and_plainly() -> None:
    with pytest.raises(ExpressionError, match="no place for a derivative"):
        read_statements("dv/dt += 3", "equations", derivatives=True)
    with pytest.raises(ExpressionError, match="not a text but int"):
        read_statements(3, "equations")  # type: ignore[arg-type]


def test_an_unknown_name_is_found_in_its_line() -> None:
    made = read_statements("v = 2\n  u = vx + 1", "reset")
    with pytest.raises(ExpressionError, match="reset, line 2, character 7: unknown name 'vx'"):
        made[1].value.check({"v"})


@given(st.text(st.sampled_from("vud/t=+ \n;#(1")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        made = read_statements(text, "equations", derivatives=True)
    except ExpressionError:
        return
    again = "\n".join(map(str, made))
    assert read_statements(again, "equations", derivatives=True) == made
