"""The paper has its journal's sections, true figures, and a reference for each citation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "paper" / "paper.md"
_, HEADER, BODY = PAPER.read_text().split("---\n", 2)
BIB = (ROOT / "paper" / "paper.bib").read_text()
SECTIONS = [
    "Summary",
    "Statement of need",
    "State of the field",
    "Software design",
    "Research impact statement",
    "Limits",
    "AI usage disclosure",
    "Acknowledgements",
    "References",
]
"""List what the journal requires of 2026 on, in its order, and our own section of limits."""
COMPARED = (
    "Brian2 BindsNET snnTorch Norse SpikingJelly Nengo nengo-loihi NEST PyNN Stable-Baselines3"
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in BODY.splitlines()
    if line.startswith("|") and "](" in line
]


def cited(text: str) -> set[str]:
    """Return the keys that *text* cites, as Pandoc reads them."""
    return set(re.findall(r"(?<![\w.])@(\w+)", text))


def entries(bib: str) -> dict[str, str]:
    """Map each key of a bibliography to the text of its entry."""
    return dict(re.findall(r"^@\w+\{(\w+),\n(.*?)^\}$", bib, re.MULTILINE | re.DOTALL))


def absent(measured: str, page: str) -> list[str]:
    """Return the figures of a cell, a mean with its worst seed as one, that *page* hasn't."""
    number = r"-?\d+(?:,\d{3})*(?:\.\d+)?"
    figures = re.findall(rf"{number}(?: \({number}\))?", measured)
    return [f for f in figures if not re.search(rf"(?<![\d.,-]){re.escape(f)}(?!\d)", page)]


def section(title: str) -> str:
    return BODY.partition(f"# {title}\n")[2].partition("\n# ")[0]


def test_the_header_has_what_the_journal_reads() -> None:
    header = yaml.safe_load(HEADER)
    assert {"title", "tags", "authors", "affiliations", "date", "bibliography"} <= set(header)
    assert (PAPER.parent / header["bibliography"]).is_file()
    assert re.fullmatch(r"[1-9]\d? [A-Z][a-z]+ 20\d\d", header["date"])
    known = {place["index"] for place in header["affiliations"]}
    assert {author["affiliation"] for author in header["authors"]} <= known


def test_all_sections_are_there_and_none_is_empty() -> None:
    assert re.findall(r"^# (.*)$", BODY, re.MULTILINE) == SECTIONS
    assert all(section(title).split() for title in SECTIONS[:-1])
    assert all(name in section("State of the field") for name in COMPARED.split())


def test_the_length_is_what_the_journal_takes() -> None:
    assert 750 <= len(BODY.split()) <= 1750


def test_citations_and_references_are_the_same() -> None:
    assert cited(BODY) == set(entries(BIB))
    assert len(re.findall(r"^@\w+\{", BIB, re.MULTILINE)) == len(entries(BIB))
    assert cited("[@One2000; @Two2001] a@b.org x.@y") == {"One2000", "Two2001"}


@pytest.mark.parametrize("key", entries(BIB))
def test_a_reference_is_complete(key: str) -> None:
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", entries(BIB)[key], re.MULTILINE))
    assert {"author", "title", "year"} <= set(fields)
    assert {"journal", "howpublished"} & set(fields)
    assert re.match(r"10\.\d{4,}/\S+$", fields.get("doi", "")) or "url" in fields


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:30])
def test_a_figure_stands_on_its_page_with_its_command(row: list[str]) -> None:
    _, measured, link, command = row
    page = PAPER.parent / link.partition("](")[2].rstrip(")")
    assert absent(measured, page.read_text()) == []
    assert command.startswith("`python scripts/")
    assert (ROOT / command.strip("`").split()[1]).is_file()
    told = page.read_text() + (ROOT / "REPRODUCING.md").read_text()
    assert command.strip("`") in " ".join(told.split())


def test_other_figures_are_found() -> None:
    assert len(ROWS) == 6
    page = "| -100.9 (-102.7) | 11.5 | 1,000 | 1 (2) |"
    assert absent("-100.9 (-102.7), 1,000; 1 (2)", page) == []
    assert absent("100.9; 1.5; 000; 1 (3)", page) == ["100.9", "1.5", "000", "1 (3)"]
