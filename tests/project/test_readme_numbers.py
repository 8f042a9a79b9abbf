"""Every number of the tables in README and docs/figures.md is that of the file named beside it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from experiments.readme import PAGES

ROOT = Path(__file__).parents[2]
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
FILE = re.compile(r"`((?:results|docs)/[^`]+?\.(?:csv|json|py))`")


def block(text: str, mark: str) -> list[str]:
    """Return the lines between the marks of *mark*."""
    inside = text.partition(f"<!-- {mark}: begin -->\n")[2].partition(f"\n<!-- {mark}: end -->")[0]
    return inside.splitlines()


def tables(text: str) -> list[tuple[list[str], str]]:
    """Yield every table of a page, and the paragraph before it."""
    found: list[tuple[list[str], str]] = []
    paragraph = ""
    for part in re.split(r"\n\s*\n", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        lines = [line for line in part.strip().splitlines() if not line.startswith("<!--")]
        if lines and all(line.startswith("|") for line in lines):
            found.append((lines, paragraph))
        paragraph = part
    return found


def numbers(lines: list[str]) -> list[str]:
    """Yield every number of a table's body."""
    return [n for line in lines[2:] for n in re.findall(r"\d[\d,]*(?:\.\d+)?", line)]


def check(page: str, text: str) -> None:
    """Assert that all tables are made from their files, and that these are named."""
    made = {tuple(lines(ROOT)): mark for mark, lines in PAGES[page].items()}
    checked = set()
    for lines, paragraph in tables(text):
        if not numbers(lines):
            continue
        files = FILE.findall(paragraph)
        assert files, f"no file is named before the table {lines[0]}"
        for file in files:
            assert list(ROOT.glob(file)), f"{file} is missing"
        assert tuple(lines) in made, f"the table {lines[0]} isn't that of {files}"
        checked.add(made[tuple(lines)])
    assert checked == set(PAGES[page])


@pytest.mark.parametrize("page", PAGES)
def test_every_table_is_that_of_its_files(page: str) -> None:
    check(page, TEXTS[page])


@pytest.mark.parametrize(("page", "mark"), [(page, mark) for page in PAGES for mark in PAGES[page]])
def test_a_changed_digit_is_found_in_every_cell(page: str, mark: str) -> None:
    lines = block(TEXTS[page], mark)
    assert lines == PAGES[page][mark](ROOT)
    text = "\n".join(lines)
    head = len("\n".join(lines[:2]))
    places = [m.start() for m in re.finditer(r"\d", text) if m.start() > head]
    assert len(places) >= 5
    for place in places:
        wrong = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        changed = TEXTS[page].replace(text, wrong)
        assert changed != TEXTS[page]
        with pytest.raises(AssertionError, match="isn't that of"):
            check(page, changed)


def test_a_table_without_a_file_is_found() -> None:
    page, heading = "docs/figures.md", "## How fast it is"
    added = TEXTS[page].replace(
        heading, f"Some figures:\n\n| a | b |\n|---|---|\n| x | 3 |\n\n{heading}"
    )
    with pytest.raises(AssertionError, match="no file is named"):
        check(page, added)
    named = added.replace("Some figures:", "From `results/summary.csv`:")
    with pytest.raises(AssertionError, match="isn't that of"):
        check(page, named)


@pytest.mark.parametrize("page", PAGES)
def test_a_file_that_is_missing_is_found(page: str) -> None:
    with pytest.raises(AssertionError, match=r"results/no\.csv is missing"):
        check(page, TEXTS[page].replace("`docs/benchmarks.json`", "`results/no.csv`"))


@pytest.mark.parametrize("variant", ["gradients", "gradients-memoryless"])
def test_figures_without_velocities_are_those_of_the_file(variant: str) -> None:
    with (ROOT / "results" / f"positioncart-lif-{variant}.csv").open(newline="") as file:
        greedy = [float(row["greedy"]) for row in csv.DictReader(file)]
    figures = f"{sum(greedy) / len(greedy):.1f} ({min(greedy):.1f})"
    assert figures in " ".join(TEXTS["docs/figures.md"].split())
