"""Test the runs on harder tasks: what is kept, what is left out, and their page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from load_script import load_script

from experiments import harder
from experiments.harder import HARDER, HARDER_TASKS, CurveRow, HarderRow, curve, missing, reproduce
from experiments.harder_page import lines, put_page
from experiments.run import Plan
from experiments.tables import read_table, write_table

ROOT = Path(__file__).parents[2]
BY_NAME = {experiment.name: experiment for experiment in HARDER}


def test_all_tasks_are_learned_in_all_ways() -> None:
    assert len(HARDER) == len(BY_NAME) == 4 * 6 + 2
    assert {"lunarlander-local-chip", "pendulum-gradients", "positions-local"} <= set(BY_NAME)


def test_a_small_run_of_each_arithmetic_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [BY_NAME[f"frozenlake-local{end}"] for end in ("", "-chip")]
    plan = Plan(tmp_path / "runs", (0, 1), 3, "reference", evaluation_episodes=2)
    shown: list[str] = []
    reproduce(chosen, plan, tmp_path, shown.append)
    assert [line.partition(":")[0] for line in shown] == [e.name for e in chosen]
    rows = read_table(tmp_path / "harder" / "frozenlake-local.csv", HarderRow)
    assert [(row.seed, row.episodes, row.evaluation_episodes) for row in rows] == [
        (0, 3, 2),
        (1, 3, 2),
    ]
    points = read_table(tmp_path / "harder" / "curves" / "frozenlake-local-chip.csv", CurveRow)
    assert points[-1].seeds == 2

    def refuse(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(harder, "_agent", refuse)
    reproduce(chosen, plan, tmp_path, shown.append)
    assert read_table(tmp_path / "harder" / "frozenlake-local.csv", HarderRow) == rows


@pytest.mark.slow
def test_a_small_run_of_all(tmp_path: Path) -> None:
    assert load_script("harder_proofs").main(["--quick", "--out", str(tmp_path)]) == 0
    made = {file.stem for file in (tmp_path / "results" / "harder").glob("*.csv")}
    assert made == {e.name for e in HARDER if missing(e) is None}


def test_gradients_run_too(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch isn't installed")
    chosen = ["--only", "frozenlake-gradients", "--seeds", "0", "--quick", "--out", str(tmp_path)]
    assert load_script("harder_proofs").main(chosen) == 0
    file = tmp_path / "results" / "harder" / "frozenlake-gradients.csv"
    assert [row.seed for row in read_table(file, HarderRow)] == [0]


def test_a_task_without_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without() -> Any:
        raise ImportError("no module named 'lake'")

    task = replace(HARDER_TASKS["frozenlake"], make=without, extra="lake")
    monkeypatch.setattr(harder, "HARDER_TASKS", {**HARDER_TASKS, "frozenlake": task})
    shown: list[str] = []
    plan = Plan(tmp_path, (0,))
    reproduce([BY_NAME["frozenlake-local"]], plan, tmp_path, shown.append)
    assert len(shown) == 1
    assert "frozenlake-local: left out: lake isn't installed" in shown[0]
    assert not (tmp_path / "harder").exists()


def test_curves_are_over_environment_steps() -> None:
    runs: list[dict[str, list[float]]] = [
        {"ends": [10, 20, 100], "returns": [0.0, 1.0, 5.0]},
        {"ends": [50, 100], "returns": [2.0, 4.0]},
        {"ends": [], "returns": []},
    ]
    rows = curve(runs)
    assert [rows[0].env_steps, rows[-1].env_steps] == [10, 100]
    by_step = {row.env_steps: row for row in rows}
    assert (by_step[20].seeds, by_step[20].iqm) == (1, 0.5)
    assert (by_step[50].seeds, by_step[50].iqm) == (2, 1.25)
    assert by_step[100].iqm == 2.5
    assert by_step[100].low <= 2.5 <= by_step[100].high
    assert curve([]) == []


def test_the_page_is_made_of_what_is_there(tmp_path: Path) -> None:
    page = tmp_path / "harder-proofs.md"
    page.write_text("<!-- harder: begin -->\n<!-- harder: end -->\n")
    rows = [HarderRow(seed, 0.5 + 0.1 * seed, 0.5, 10, 100, 100) for seed in range(4)]
    folder = tmp_path / "harder"
    folder.mkdir()
    write_table(folder / "frozenlake-local.csv", rows)
    put_page(page, tmp_path)
    assert "| 0.65 [0.50, 0.80]; 0.65 (0.50), 4 |  |  |  |  |" in page.read_text()
    assert "frozenlake-local-chip, " in page.read_text()
    assert not page.with_suffix(".png").exists()
    (folder / "curves").mkdir()
    write_table(folder / "curves" / "frozenlake-local.csv", [CurveRow(10, 4, 0.5, 0.4, 0.6)])
    put_page(page, tmp_path)
    assert page.with_suffix(".png").exists()


def test_the_docs_have_the_table() -> None:
    text = (ROOT / "docs" / "harder-proofs.md").read_text()
    assert "\n".join(lines(ROOT / "results")) in text


def test_an_unknown_one_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("harder_proofs").main(["--only", "pong"]) == 2
    assert "harder_proofs: experiment: unknown name" in capsys.readouterr().err
