"""Docstrings begin with a verb in the imperative: "Return ...", "Hold ...", never "The ..."."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("neurorl", "scripts", "examples")

BANNED = """
A After All An And Another Any As At Because Before Being Between Both But By Each Either Every For
From Half How However If In Into It Its Like Many More Most Neither No None Not Nothing Of On One
Only Or Other Our Out Over Same Several So Some Such Than That The Their Then There These They This
Those Three To Two Under Until Up What Whatever When Where Whether Which While Who Whoever Whose
Why With Without Yes You Your
"""
NOUNS = """
Base Cells Chip Cosine Drawn Enough Excitatory Factor Feature Greedy Hidden Interquartile Key Leaky
Local Long Mean Median Neuron Noise Percentile Period Standard Summary Table Taken Value Window
"""
VERBS_LIKE_NOUNS = {"Bring", "Embed", "Feed", "Pass", "Process", "Seed", "Compress", "Assess"}
VERB = re.compile(r"[A-Z][a-z]+")
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
NOUN = re.compile(r".*(s|ing|ed|ion|ity|ness|ment)$")


def is_imperative(docstring: str) -> bool:
    """Return whether the first word may be an imperative; few nouns in the singular are found."""
    first, second, *_ = [*docstring.split(maxsplit=2), ""]
    first = first.rstrip(".,:;")
    if not VERB.fullmatch(first) or first in (BANNED + NOUNS).split():
        return False
    if second == "of" and first != "Warn":
        return False
    return first in VERBS_LIKE_NOUNS or not NOUN.match(first)


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and docstring of each module, class, function, constant and field."""
    for node in ast.walk(ast.parse(file.read_text())):
        body = getattr(node, "body", None)
        yield from explained(body if isinstance(body, list) else [])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
            docstring = ast.get_docstring(node)
            if docstring:
                yield getattr(node, "lineno", 1), docstring


def explained(body: Sequence[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string that stands under an assignment."""
    for before, statement in itertools.pairwise(body):
        match statement:
            case ast.Expr(ast.Constant(str() as text)) if isinstance(before, ASSIGNMENTS):
                yield statement.lineno, text


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_a_verb(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {docstring.splitlines()[0]}"
        for file in files
        for line, docstring in docstrings(file)
        if not is_imperative(docstring)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "docstring",
    [
        "The weights in force.",
        "*x* rounded to a grid.",
        "``e**x`` to the last bit.",
        "Returns the weights.",
        "Steps until it arrives.",
        "Whether it learns.",
        "Position of a node.",
        "Name of a node.",
        "shape of the weights",
    ],
)
def test_other_beginnings_are_found(docstring: str) -> None:
    assert not is_imperative(docstring)


def test_strings_under_constants_and_fields_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('X = 1\n"""Steps."""\nclass A:\n    b: int = 0\n    """Seeds."""\n')
    assert list(docstrings(file)) == [(2, "Steps."), (5, "Seeds.")]


def test_imperatives_pass() -> None:
    for verb in ("Return it.", "Pass it on.", "Read: all of it.", "Hold x."):
        assert is_imperative(verb)
