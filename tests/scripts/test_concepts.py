"""Test scripts/concepts.py: the drawings in the docs are those that it makes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from load_script import load_script

from documentation.concepts import DRAWINGS
from documentation.drawing import STYLE, THEME, Drawing
from documentation.window import Example

DOCS = Path(__file__).parents[2] / "docs"


def test_drawings_are_those_that_the_script_makes(tmp_path: Path) -> None:
    assert load_script("concepts").main(["--out", str(tmp_path)]) == 0
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in (DOCS / "drawings").iterdir()}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_on_the_page(name: str) -> None:
    assert f"](drawings/{name}.svg)" in (DOCS / "concepts.md").read_text()


# The site's build leaves its own drawings in folders called images.
DRAWN = sorted(path for path in DOCS.rglob("*.svg") if path.parent.name != "images")


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.stem)
def test_a_drawing_is_legible_on_dark_pages(path: Path) -> None:
    text = path.read_text()
    assert f"<style>{STYLE}</style>" in text
    assert "#ffffff" not in text.replace(STYLE, "")
    assert ET.fromstring(text).get("class") == "drawing"


def test_the_site_sets_the_same_colours() -> None:
    assert THEME in (DOCS / "site" / "static" / "neurorl.css").read_text()


def test_the_window_is_what_the_rule_says() -> None:
    one = Example.run()
    spikes = one.after.sum()
    gain = 0.6 * (1 - spikes / (len(one.after) - 1))
    assert np.allclose(one.factor, one.after * gain)
    assert np.allclose(one.eligibility, np.cumsum(one.trace * one.factor))
    assert one.change == pytest.approx(0.8 * 0.1 * one.eligibility[-1])


def test_text_is_escaped() -> None:
    drawing = Drawing("x", 10, 10, 'a "b" <c>')
    drawing.text(0, 0, "e <- x & y")
    assert ET.fromstring(drawing.svg()).get("aria-label") == 'a "b" <c>'
