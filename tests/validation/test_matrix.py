"""Test the matrix that CI keeps green, and its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from load_script import load_script

from experiments.validation_matrix import TASKS, cells, merge
from experiments.validation_page import END, START, insert, tables
from neurorl.errors import ArgumentError
from neurorl.models.defaults.presets import ALONE

ROOT = Path(__file__).parents[2]


def test_every_model_is_exact_on_every_backend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    kept = tmp_path / "rows.json"
    arguments = ["--short", "--json", "--page", str(page), "--rows", str(kept)]
    assert load_script("validate_backends").main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert json.loads(kept.read_text()) == rows
    assert merge(rows[::-1], rows[3:5]) == rows
    of = {(row["model"], row["env"], row["backend_a"], row["backend_b"]): row for row in rows}
    assert len(of) == len(rows) == 4 * len(ALONE) * len(TASKS)
    for (_, _, a, b), row in of.items():
        mixed = a.split(":")[-1] != b.split(":")[-1]
        assert row["verdict"] == "exact" or mixed, row
        assert row["spikes"] > 0
        assert row["steps"] >= 48
        assert row["updates"] == 4
    text = page.read_text()
    assert text.startswith(f"before\n{START}\n`python scripts/validate_backends.py --steps 48")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert text.count("| exact |") >= 2 * len(ALONE) * len(TASKS)


def test_a_difference_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("neurorl.backends.spec.BackendSpec.must_equal", lambda *_: True)
    few = ["--models", "glm", "--tasks", "CartPole-v1", "--steps", "40", "--updates", "2"]
    assert load_script("validate_backends").main([*few, "--backends", "reference,loihi"]) == 1
    assert "different" in capsys.readouterr().out


def test_groups_have_the_backends_of_their_arithmetic() -> None:
    plan = cells("reference,brian2:numpy,loihi", ["lif"], ["CartPole-v1"], [3, 4])
    assert [(c.group, [spec.label for spec in c.specs], c.seed) for c in plan] == [
        ("float", ["reference:float", "brian2:numpy:float"], 3),
        ("loihi", ["reference:loihi", "brian2:numpy:loihi", "loihi:loihi"], 3),
        ("float | loihi", ["reference:float", "loihi:loihi"], 3),
        ("float | loihi", ["reference:float", "loihi:loihi"], 4),
    ]


def test_the_page_of_the_docs_has_the_rows_of_the_results() -> None:
    rows = json.loads((ROOT / "results" / "validation.json").read_text())
    page = (ROOT / "docs" / "validation.md").read_text()
    text = page.partition(START)[2].partition(END)[0].strip()
    command = text.partition("`:")[0].removeprefix("`")
    assert text == tables(rows, command)
    assert {row["verdict"] for row in rows} == {"exact", "within"}
    assert all(row["steps"] >= 10_000 and row["updates"] == 100 for row in rows)


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    with pytest.raises(ArgumentError, match="can't be read"):
        insert(page, "text")
    page.write_text("nothing\n")
    with pytest.raises(ArgumentError, match="has no marks"):
        insert(page, "text")
    assert page.read_text() == "nothing\n"
