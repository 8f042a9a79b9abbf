"""Test scripts/soak.py in small, and that it tells what grows."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from load_script import load_script

from benchmarks.soak import Look, growth, problems, soak
from neurorl.errors import ArgumentError, BackendError

ROOT = Path(__file__).parents[2]
FIRST = Look("reference", 100_000, 300, 50.0, 0.1, 6, 0, 2)


def after(**changed: Any) -> list[Look]:
    return [FIRST, dataclasses.replace(FIRST, steps=300_000, **changed)]


def test_a_short_training_grows_by_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "docs" / "soak.md", tmp_path)
    before = (ROOT / "docs" / "soak.md").read_text()
    arguments = ["--backends", "reference,native", "--steps", "6000", "--out", str(tmp_path)]
    arguments += ["--docs", str(tmp_path)]
    assert load_script("soak").main(arguments) == 0
    printed = capsys.readouterr().out
    assert "native" in printed
    assert "without records" in printed
    lines = (tmp_path / "soak.csv").read_text().splitlines()
    assert lines[0].startswith("backend,steps,episodes,rss_mib,records_mib,file_handles")
    assert [line.split(",")[0] for line in lines[1:]] == ["reference"] * 3 + ["native"] * 3
    assert int(lines[3].split(",")[1]) >= 6000
    assert (tmp_path / "soak.md").read_text().count("| reference |") == 3
    assert (ROOT / "docs" / "soak.md").read_text() == before


def test_what_grows_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--backends", "reference", "--steps", "2000", "--bound", "-100"]
    assert load_script("soak").main([*arguments, "--out", str(tmp_path)]) == 1
    assert "grows: reference: memory grows, MiB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, None),
        ({"rss_mib": 53.0}, None),
        ({"rss_mib": 56.0, "records_mib": 4.0}, None),
        ({"rss_mib": 56.0}, "memory grows, MiB (got 6.0, limit 4.0)"),
        ({"file_handles": 7}, "file_handles grow (got 7, limit 6)"),
        ({"temp_files": 1}, "temp_files grow"),
        ({"threads": 3}, "threads grow"),
    ],
)
def test_each_growth_is_named(changed: dict[str, Any], word: str | None) -> None:
    found = problems(after(**changed))
    assert len(found) == (word is not None)
    assert word is None or word in found[0]


def test_the_page_is_that_of_the_file(tmp_path: Path) -> None:
    page = Path(shutil.copy(ROOT / "docs" / "soak.md", tmp_path))
    load_script("soak").write_page(ROOT / "results" / "soak.csv", page)
    assert page.read_text() == (ROOT / "docs" / "soak.md").read_text()


def test_growth_is_per_100000_steps_with_and_without_records() -> None:
    looks = after(rss_mib=52.0, records_mib=1.1)
    assert growth(looks, with_records=True) == pytest.approx(1.0)
    assert growth(looks, with_records=False) == pytest.approx(0.5)


def test_bad_input_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArgumentError, match="too few"):
        soak("reference", 10)
    with pytest.raises(BackendError, match="soak on neuron: training failed"):
        soak("neuron", 1000)
    assert load_script("soak").main(["--backends", "neuron"]) == 2
    assert capsys.readouterr().err.startswith("soak: backend to soak: unknown name")
