"""Test the page: self-contained, the same every time, readable in a real browser on a phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import injected_faults as faults
import pytest

from neurorl.backends.spec import BackendSpec
from neurorl.models import CubaLIF
from neurorl.validation import Validation, validate

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt install chromium")

MEASURE = """
<iframe id="page" style="width:{width}px;height:800px;border:0" srcdoc="{page}"></iframe>
<pre id="measured"></pre>
<script>
addEventListener('load', () => {{
  const doc = document.getElementById('page').contentDocument
  const boxes = [...doc.querySelectorAll('svg')].map(s => s.getBoundingClientRect())
  const wide = [...doc.body.querySelectorAll('*')].filter(
    e => !e.closest('.scroll') && e.getBoundingClientRect().right > {width} + 1)
  document.getElementById('measured').textContent = JSON.stringify({{
    width: doc.documentElement.scrollWidth,
    wide: wide.map(e => e.tagName),
    heading: doc.querySelector('h1').innerText,
    pictures: boxes.map(b => [b.width, b.height]),
    rows: doc.querySelectorAll('table.cards tbody tr').length,
    font: parseFloat(getComputedStyle(doc.body).fontSize),
    head: getComputedStyle(doc.querySelector('table.cards thead')).display,
  }})
}})
</script>
"""


@pytest.fixture(scope="module")
def found() -> Validation:
    """Return a fault, an exact backend, and training: everything that a page can show."""
    specs = [BackendSpec("reference", "float"), BackendSpec("loihi", "loihi")]
    specs.append(BackendSpec("faulty", "float", cls=faults.LongRefractory))
    return validate("lif", specs, steps=120, learn=True, updates=40, overrides={"neuron": slow()})


def slow() -> CubaLIF:
    return CubaLIF(1.44e-3, 4.48e-3, 0.5, 0.0, 0.5, refractory=2e-3)


def written(found: Validation, folder: Path) -> str:
    return found.write(folder / "page.html").read_text()


def browse(text: str, width: int, folder: Path) -> dict[str, Any]:
    """Return what a browser makes of a page in a frame of this width."""
    assert BROWSER is not None
    harness = folder / "harness.html"
    harness.write_text(MEASURE.format(width=width, page=html.escape(text, quote=True)))
    profile = folder / f"profile-{width}"
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom"),
    )
    done = subprocess.run(
        [BROWSER, *flags, harness.as_uri()], capture_output=True, text=True, check=True
    )
    measured = re.search(r'<pre id="measured">(.+?)</pre>', done.stdout, re.S)
    assert measured is not None
    answer: dict[str, Any] = json.loads(html.unescape(measured[1]))
    return answer


@needs_browser
@pytest.mark.parametrize("width", [360, 1000])
def test_a_browser_shows_it_without_scrolling_sideways(
    width: int, found: Validation, tmp_path: Path
) -> None:
    shown = browse(written(found, tmp_path), width, tmp_path)
    assert shown["width"] <= width
    assert shown["wide"] == []
    assert shown["heading"].startswith("lif on CartPole-v1")
    assert len(shown["pictures"]) > 6
    assert all(200 < across <= width and up > 20 for across, up in shown["pictures"])
    assert shown["rows"] > len(found.rows)  # and the versions
    assert shown["font"] >= 16
    assert shown["head"] == ("none" if width < 640 else "table-header-group")


def test_it_needs_nothing_from_anywhere(found: Validation, tmp_path: Path) -> None:
    text = written(found, tmp_path)
    assert not re.search(r"https?:|@import|url\(|<script|<img|src=|\bon\w+=", text)
    assert re.findall(r'href="([^"]*)"', text) == ["data:,"]


def test_it_is_the_same_every_time(found: Validation, tmp_path: Path) -> None:
    text = written(found, tmp_path)
    assert text == written(found, tmp_path)
    for secret in (str(Path.home()), str(Path.cwd()), str(tmp_path)):
        assert secret not in text


def test_it_has_all_that_a_reviewer_asks(found: Validation, tmp_path: Path) -> None:
    text = html.unescape(written(found, tmp_path))
    for row in found.rows:
        assert f"{row['quantity']} of {row['projection'] or row['population']}" in text
    for e in found.explanations:
        assert e.detail in text
    for package, version in found.to_dict()["versions"].items():
        assert f'<td data-name="package">{package}</td>' in text
        assert version in text
    assert "seed 0" in text
    assert "a step longer" in text


def test_the_command_that_repeats_it_is_shown(tmp_path: Path) -> None:
    text = html.unescape(written(validate("glm", "reference:float,loihi", steps=8), tmp_path))
    assert "neurorl validate glm --backends reference:float,loihi:loihi --steps 8 --seed 0" in text
