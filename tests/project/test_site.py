"""The site lists every public name, and its gallery holds what the index promises."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "api"
GALLERY = sorted((ROOT / "examples" / "gallery").glob("*.py"))
MODULE = re.compile(r"automodule:: ([\w.]+)")


def listed_modules() -> list[str]:
    """Return the modules whose names the pages of docs/api list."""
    return [name for page in sorted(API.glob("*.md")) for name in MODULE.findall(page.read_text())]


def public_packages() -> set[str]:
    """Return neurorl and the modules that its documented imports name."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *GALLERY]
    imports = re.findall(
        r"^from (neurorl(?:\.\w+)*) import",
        "\n".join(page.read_text() for page in pages),
        re.MULTILINE,
    )
    return {name for name in imports if name.count(".") <= 1}


def test_packages_that_pages_import_from_are_listed() -> None:
    homes = {"neurorl.agents", "neurorl.network"}  # shown in recipes of the architecture alone
    assert public_packages() - homes <= set(listed_modules())


@pytest.mark.parametrize("module", listed_modules())
def test_every_public_name_has_a_docstring(module: str) -> None:
    package = importlib.import_module(module)
    assert package.__all__
    for name in package.__all__:
        value = getattr(package, name)
        if callable(value):
            assert value.__doc__, f"{module}.{name}"


@pytest.mark.parametrize("example", GALLERY, ids=lambda path: path.stem)
def test_an_example_has_a_title_and_a_sentence(example: Path) -> None:
    docstring = ast.get_docstring(ast.parse(example.read_text())) or ""
    title, line, empty, *rest = docstring.splitlines()
    assert set(line) == {"="}
    assert len(line) >= len(title)
    assert not empty
    assert rest[-1].endswith(".")


def test_the_gallery_has_twenty_examples() -> None:
    assert len(GALLERY) >= 20
