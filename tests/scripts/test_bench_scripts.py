"""Test scripts/benchmark.py and scripts/growth.py, in their small versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from load_script import load_script

from benchmarks import peers
from benchmarks.growth import points
from neurorl.backends.spec import BackendSpec
from neurorl.bench.candidates import Candidate


def test_benchmark_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--seconds", "0.05", "--out", str(tmp_path / "docs")]
    assert load_script("benchmark").main(arguments) == 0
    assert "benchmarks.md" in capsys.readouterr().out
    data = json.loads((tmp_path / "docs" / "benchmarks.json").read_text())
    backends = {row["backend"] for row in data["rows"]}
    assert backends == {"c-floor", "reference", "numpy"}
    assert {"date", "cpu", "compiler", "packages"} <= set(data["machine"])
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "## small, 1 replica\n" in page
    assert "6,800 plastic synapses" in page
    assert page.count("python scripts/benchmark.py") == 2
    assert "{" not in page


def test_a_peer_that_is_named_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "missing", lambda name: f"{name}: not installed (pip install it)")
    out = ["--out", str(tmp_path)]
    assert load_script("benchmark").main(["--quick", "--peers", "jax", *out]) == 2
    assert "jax: not installed" in capsys.readouterr().err
    assert load_script("benchmark").main(["--quick", "--peers", "jaxx", *out]) == 2
    assert "did you mean 'jax'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_growth_writes_rows_and_a_figure(tmp_path: Path) -> None:
    arguments = ["--quick", "--backends", "reference", "--out", str(tmp_path)]
    assert load_script("growth").main(arguments) == 0
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
    data = json.loads((tmp_path / "growth.json").read_text())
    assert data["notes"] == []
    seen = {(r["axis"], r["backend"], r["value"]) for r in data["rows"]}
    found = points(["reference"], quick=True)
    assert seen == {(p.axis, p.candidate.spec.backend, value) for p in found for value in p.values}
    assert all(r["us_per_step"] > 0 and r["peak_mb"] > 1 for r in data["rows"])


def test_what_a_backend_refuses_is_left_out() -> None:
    from benchmarks.growth import Point, grow

    chip = Candidate(BackendSpec("loihi", "float"))
    data = grow([Point("neurons", chip, (16,), 0.01)])
    assert data["rows"] == []
    assert data["notes"][0].startswith("loihi, neurons 16: UnsupportedError")
