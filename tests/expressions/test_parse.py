"""Test what is in the language, what isn't, and where an error says that it is wrong."""

from __future__ import annotations

import json
import random
import tracemalloc
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_expressions import random_tree

from neurorl.errors import DescriptionError
from neurorl.expressions import Expression, ExpressionError
from neurorl.expressions.nodes import (
    TEXT,
    Binary,
    Flag,
    FunctionCall,
    Name,
    Number,
    Power,
    Unary,
    render,
)
from neurorl.expressions.parse import parse
from neurorl.expressions.scan import MAX_DEPTH, MAX_NAME, MAX_TEXT
from neurorl.network.serialization import Described

A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a + b + c", Binary("+", Binary("+", A, B), C)),
        ("a + (b + c)", Binary("+", A, Binary("+", B, C))),
        ("a - b*c/2", Binary("-", A, Binary("/", Binary("*", B, C), Number(2.0)))),
        ("-a**2", Unary("-", Power(A, 2))),
        ("(-a)**2", Power(Unary("-", A), 2)),
        ("a and b", None),
        (
            "a < b and b < c and c < 1e-3",
            Binary(
                "and",
                Binary("and", Binary("<", A, B), Binary("<", B, C)),
                Binary("<", C, Number(1e-3)),
            ),
        ),
        ("not a == b", Unary("not", Binary("==", A, B))),
        (
            "where(True, min(a, b), .5)",
            FunctionCall("where", (Flag(True), FunctionCall("min", (A, B)), Number(0.5))),
        ),
        ("\n  a\n + b  ", Binary("+", A, B)),
    ],
)
def test_trees(text: str, tree: object) -> None:
    if tree is None:
        with pytest.raises(ExpressionError):
            parse(text)
    else:
        assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "character", "message"),
    [
        ("", 1, "is empty"),
        ("v +", 3, r"ends in '\+'"),
        ("v >= ", 3, "ends in '>='"),
        ("1 2", 3, "isn't a formula"),
        ("v(3)", 1, r"unknown function 'v'.*a\*\(b\)"),
        ("2(3)", 1, "a value is called"),
        ("1 + expp(v)", 5, "unknown function 'expp'.*did you mean 'exp'"),
        ("exp(v, 2)", 1, "exp takes 1 argument, by place, not 2"),
        ("min(v)", 1, "min takes 2 arguments, by place, not 1"),
        ("exp(**v)", 1, "by place"),
        ("exp(*v)", 5, "a star before a value"),
        ("1 + exp", 5, "'exp' is a function"),
        ("v > 1 + (2 > 1)", 10, "a boolean where a number is needed.*makes a number of it"),
        ("True + 1", 1, "a boolean where a number is needed"),
        ("where(1, 2, 3)", 7, "a number where a boolean is needed.*compare it"),
        ("where(a < 1, b < 1, 2)", 14, "a boolean where a number is needed"),
        ("not v", 5, "a number where a boolean is needed"),
        ("a < b < c", 9, "a chain of comparisons.*a < b and b < c"),
        ("a if b else c", 3, r"'if' isn't in the language.*where\("),
        ("lambda: 1", 1, "'lambda' isn't in the language"),
        ("x.y", 2, "attributes"),
        ("x.__class__.__bases__", 2, "attributes"),
        ("__import__", 1, "begins with _"),
        ("x[1]", 2, "nothing has an index"),
        ("{x}", 1, "round brackets"),
        ("x + 'a'", 5, "texts aren't in the language"),
        ('f"{x}"', 2, "texts aren't in the language"),
        ("x^2", 2, r"x\*\*2"),
        ("x**y", 4, "the exponent isn't a small whole number"),
        ("x**2.0", 4, "the exponent isn't a small whole number"),
        ("x**-1", 4, "the exponent isn't.*1/x"),
        ("x**17", 4, "the exponent isn't.*1 to 16"),
        ("x**True", 4, "the exponent isn't"),
        ("x**2**3", 4, "the exponent isn't"),
        ("1e999", 1, "beyond the largest float"),
        ("9" * 400, 1, "beyond the largest float"),
        ("+x", 1, "a plus sign before a value"),
        ("a, b", 1, "a list of values"),
        ("2x", 2, r"runs into 'x'.*2\*x"),
        ("1_000", 2, "runs into '_000'"),
        ("0x10", 2, "runs into 'x10'"),
        ("v = 2", 3, "compared by =="),
        ("a := 1", 3, "':' isn't in the language"),
        ("a // b", 3, "floor"),
        ("a % b", 3, "floor"),
        ("a & b", 3, "`and`"),
        ("v # comment", 3, "comment"),
        ("é", 1, "isn't in the language"),
        ("a\u0661", 2, "isn't in the language"),
        ("\uff41", 1, "isn't in the language"),
        ("a\0", 2, "isn't in the language"),
        ("None", 1, "'None' isn't in the language"),
        ("a" * (MAX_NAME + 1), 1, "a name is too long"),
        ("(" * 150, MAX_DEPTH + 1, "too deep"),
        ("a" + "+a" * (MAX_DEPTH + 1), 1, "too deep"),
        ("a<b" + " or a<b" * (MAX_DEPTH + 1), 1, "too deep"),
    ],
)
def test_errors_say_what_and_at_which_character(text: str, character: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        Expression(text)
    assert f", character {character}: " in str(caught.value)
    assert "\n" not in str(caught.value)
    line, caret = caught.value.caret().rsplit("\n", 1)
    assert (line, caret) == (text, " " * (character - 1) + "^")


def test_unknown_names_are_found_with_the_nearest() -> None:
    expression = Expression("tau*vv + w")
    assert expression.names == ("tau", "vv", "w")
    assert expression.check({"tau", "vv", "w"}, "number") is expression
    with pytest.raises(DescriptionError, match=r"character 5: unknown name 'vv'.*mean 'v'\?"):
        expression.check({"tau", "v", "w"})
    with pytest.raises(DescriptionError, match=r"character 1: unknown name 'tau'.*no name"):
        expression.check(())
    with pytest.raises(DescriptionError, match="a number where a boolean is needed"):
        expression.check(kind="boolean")


def test_a_text_of_another_type() -> None:
    for value in (3, None, b"v", ["v"]):
        with pytest.raises(DescriptionError, match="not a text"):
            Expression(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "-" * 100_000,
        "-" * 1_400 + "x",
        "not " * 900 + "x",
        "x" + "**2" * 700,
        "abs(" * 900 + "x" + ")" * 900,
        "x" + "+x" * 1_900,
        "x" + "<x" * 700,
        "x" + " and x" * 600,
        "9" * MAX_TEXT,
        "9" * 10_000_000,
        "1e" + "9" * (MAX_TEXT - 2),
        "abs(" + "*" * 1_400 + "x)",
        "min(" + "x," * 700 + ")",
    ],
    ids=lambda text: f"{text[:6]}-{len(text)}",
)
def test_monsters_are_refused_within_a_few_megabytes(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ExpressionError):
            Expression(text)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


TOKENS = ["a", "exp", "where", "not", "and", "True", "1", "1e9", ".5", "(", ")", ",", " ", "\n"]
TOKENS += ["+", "-", "*", "**", "/", "<", "==", "!=", "if", "lambda", "=", ".", "_", "'", "#", "\\"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        made = Expression(text)
    except ExpressionError as error:
        column = error.column
    else:
        column = made.tree.at
        assert parse(render(made.tree, TEXT)) == made.tree
    assert 0 <= column <= len(text)


@given(st.integers(0, 2**32), st.integers(0, 25), st.booleans())
def test_printed_and_parsed_again_it_is_the_same(seed: int, size: int, is_number: bool) -> None:
    tree = random_tree(random.Random(seed), size, "number" if is_number else "boolean")
    assert parse(render(tree, TEXT)) == tree


@dataclass(frozen=True, eq=False)
class Model(Described):
    """Hold expressions in a description."""

    threshold: Expression
    reset: tuple[Expression, ...]


def test_descriptions_hold_it_as_its_text() -> None:
    model = Model(Expression("v > 1"), (Expression("0"), Expression("u + d")))
    data = json.loads(json.dumps(model.to_dict()))
    assert data["threshold"] == {"type": "Expression", "text": "v > 1"}
    assert Model.from_dict(data) == model
    assert Model(Expression("v > 2"), model.reset) != model
    for threshold, message in (
        ({"text": "a.b"}, "character 2: '.' isn't in the language"),
        ({"text": "a", "place": {}}, "place"),
        ({"text": "a", "place": 3}, "place"),
        ({"text": 3}, "text"),
        ({"tree": 3}, "tree"),
    ):
        with pytest.raises(DescriptionError, match=message):
            Model.from_dict(data | {"threshold": {"type": "Expression", **threshold}})
    with pytest.raises(DescriptionError, match=r"data of another type"):
        Described.from_dict({"type": "Expression", "text": "a"})
    assert hash(Expression("a + b")) == hash(Expression("a + b"))
