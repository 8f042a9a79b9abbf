"""Relative links and anchors of the pages resolve, and docs/index.md lists every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for folder in (".", "docs", "paper") for page in sorted((ROOT / folder).glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of *page*."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    """Return the relative links of *text* that don't resolve from where *page* is."""
    result = []
    for link in LINK.findall(_CODE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            result.append(link)
    return result


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    assert broken(page, page.read_text()) == []


def test_a_broken_link_is_found() -> None:
    text = "[a](docs/no.md) [b](docs/units.md#no) [c](docs/units.md#rewards) [d](https://x.org/no)"
    assert broken(ROOT / "README.md", text) == ["docs/no.md", "docs/units.md#no"]


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {link for link in LINK.findall(index.read_text()) if "/" not in link}
    assert listed == {page.name for page in index.parent.glob("*.md")} - {index.name}
