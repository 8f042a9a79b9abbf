"""Pages of times name engines that there are, none that was replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurorl.backends.lookup import BACKENDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("file", ["benchmarks.json", "growth.json"])
def test_pages_of_times_name_engines_that_there_are(file: str) -> None:
    rows = json.loads((DOCS / file).read_text())["rows"]
    ours = [row for row in rows if row["backend"] in BACKENDS]
    engines = {name: {*info.engines, None} for name, info in BACKENDS.items()}
    gone = {(r["backend"], r["engine"]) for r in ours if r["engine"] not in engines[r["backend"]]}
    assert not gone
    assert "native" in {row["backend"] for row in ours}
