"""Docstrings begin with a verb in the imperative: "Return ...", "Hold ...", never "The ..."."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("neurorl", "backends", "models", "scripts", "examples")

BANNED = """
A After All An Another Any As At Because Before Being Both But By Each Either Every For From How
However If In Into It Its Like Many More Most Neither No None Not Nothing Of On One Only Or
Other Our Out Over Same Several So Some Such Than That The Their Then There These They This
Those Three To Two Under Until Up What Whatever When Where Whether Which While Who Whoever Whose
Why With Without Yes You Your
"""
VERBS_LIKE_NOUNS = {"Bring", "Embed", "Feed", "Pass", "Process", "Seed", "Compress", "Assess"}
VERB = re.compile(r"[A-Z][a-z]+")
NOUN = re.compile(r".*(s|ing|ed|ion|ity|ness|ment)$")


def is_imperative(docstring: str) -> bool:
    """Return whether the first word may be an imperative; a noun in the singular isn't found."""
    first = docstring.split(maxsplit=1)[0].rstrip(".,:;")
    if not VERB.fullmatch(first) or first in BANNED.split():
        return False
    return first in VERBS_LIKE_NOUNS or not NOUN.match(first)


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and docstring of each function, method, class and module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
            docstring = ast.get_docstring(node)
            if docstring:
                yield getattr(node, "lineno", 1), docstring


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
        "shape of the weights",
    ],
)
def test_other_beginnings_are_found(docstring: str) -> None:
    assert not is_imperative(docstring)


def test_imperatives_pass() -> None:
    for verb in ("Return it.", "Pass it on.", "Read: all of it.", "Hold x."):
        assert is_imperative(verb)
