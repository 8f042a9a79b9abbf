"""The status of a sweep: what its units' files say, in a terminal, as JSON and as a page."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

from neurorl.cli import main
from neurorl.errors import RunError
from neurorl.lab.search import Search
from neurorl.lab.status import (
    FAILED,
    QUIET,
    ROWS,
    SweepStatus,
    UnitStatus,
    sweep_status,
    write_plan,
)
from neurorl.lab.sweep import Sweep
from neurorl.lab.sweeping import run_search, run_sweep
from neurorl.runs.training import train_seeds

SWEEP = Sweep.grid(
    {
        "env": "neurorl/Bandit-v0",
        "seeds": "0..1",
        "episodes": 40,
        "evaluate": 1,
        "set": {"alpha_output": [0.1, 0.2, 0.3, 0.4, 0.5]},
    }
)


def half_way(out: Path) -> SweepStatus:
    """Make a sweep of which a unit is done, one half trained, one left alone and one failed."""
    write_plan(out, SWEEP.units, len(SWEEP.units))
    done, running, stopped, failed, _ = (out / "units" / unit.name for unit in SWEEP.units)
    for unit, folder, episodes in zip(
        SWEEP.units, (done, running, stopped), (40, 20, 10), strict=False
    ):
        runs = [(seed, folder / f"seed{seed}") for seed in unit.seeds]
        train_seeds(unit.env, runs, **dataclasses.replace(unit, episodes=episodes).options())
    (done / ROWS).write_text("{}")
    failed.mkdir()
    (failed / FAILED).write_text("unit 3: went wrong")
    then = time.time() - 2 * QUIET
    for path in (stopped, *stopped.rglob("*")):
        os.utime(path, (then, then))
    return sweep_status(out)


def test_each_unit_is_where_its_files_say(tmp_path: Path) -> None:
    status = half_way(tmp_path)
    states = [unit.state for unit in status.units]
    assert states == ["done", "running", "stopped", "failed", "waiting"]
    assert [unit.share for unit in status.units] == [1.0, 0.5, 0.25, 0.0, 0.0]
    assert status.units[3].problem == "unit 3: went wrong"
    assert not status.is_over


def test_the_rest_takes_what_was_done_took_for_its_share(tmp_path: Path) -> None:
    status = half_way(tmp_path)
    took = sum(unit.seconds for unit in status.units) / 1.75
    assert status.seconds_left == pytest.approx(took * (0.5 + 0.75 + 1.0))


def test_the_rest_takes_as_long_as_units_take_to_end_one_after_another() -> None:
    done = [UnitStatus(f"{k}", {}, "done", 1.0, 0.1, ended=1000.0 + 30.0 * k) for k in range(4)]
    running = [UnitStatus(f"r{k}", {}, "running", 0.5, 0.1) for k in range(2)]
    assert SweepStatus((*done, *running), 10).seconds_left == 30.0 * 5


def test_a_sweep_that_is_done_is_over(tmp_path: Path) -> None:
    run_sweep(SWEEP, tmp_path)
    status = sweep_status(tmp_path)
    assert status.is_over
    assert status.count("done") == status.total == len(SWEEP.units)
    assert status.seconds_left is None
    assert main(["status", str(tmp_path), "--every", "600"]) == 0
    next(tmp_path.glob("units/*/rows.json")).write_text("{")  # its next attempt fails
    assert len(run_sweep(SWEEP, tmp_path).failed) == sweep_status(tmp_path).count("failed") == 1


def test_a_unit_that_another_process_finished_is_done(tmp_path: Path) -> None:
    """Tell by the later file: who found a run locked has failed before its owner was done."""
    half_way(tmp_path)
    folder = tmp_path / "units" / SWEEP.units[0].name
    (folder / FAILED).write_text("is locked")
    for seconds, state in ((-60.0, "done"), (60.0, "failed")):
        written = (folder / ROWS).stat().st_mtime + seconds
        os.utime(folder / FAILED, (written, written))
        assert sweep_status(tmp_path).units[0].state == state


def test_a_search_counts_the_trials_that_it_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'neurorl[optuna]'")
    settings = {
        "env": "neurorl/Bandit-v0",
        "seeds": "0..1",
        "episodes": 5,
        "evaluate": 1,
        "search": {"trials": 2, "space": {"alpha_output": {"low": 0.1, "high": 0.4}}},
    }
    run_search(Search.read(settings), tmp_path)
    status = sweep_status(tmp_path)
    assert status.is_over
    assert status.count("done") == status.total > 0


def test_a_unit_that_failed_once_and_then_ran_has_not_failed(tmp_path: Path) -> None:
    write_plan(tmp_path, SWEEP.units, len(SWEEP.units))
    folder = tmp_path / "units" / SWEEP.units[0].name
    folder.mkdir(parents=True)
    (folder / FAILED).write_text("once")
    run_sweep(SWEEP, tmp_path)
    assert not (folder / FAILED).exists()


def test_the_command_tells_people_machines_and_browsers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half_way(tmp_path)
    page = tmp_path / "page.html"
    assert main(["status", str(tmp_path), "--page", str(page)]) == 1
    said = capsys.readouterr().out
    assert "1 done, 1 running, 1 stopped, 1 failed, 1 waiting" in said
    assert "went wrong" in said
    assert "1 running" in page.read_text().replace("</span>", "").replace('<span class="r2">', "")
    assert 'http-equiv="refresh"' in page.read_text()
    assert main(["status", str(tmp_path), "--every", "0"]) == 2
    assert main(["status", str(tmp_path), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [data[state] for state in ("done", "running", "failed")] == [1, 1, 1]


@pytest.mark.parametrize("plan", ["", "[]", '{"total": "x", "units": {}}'])
def test_a_folder_without_a_plan_is_one_line(
    plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if plan:
        (tmp_path / "sweep.json").write_text(plan)
    with pytest.raises(RunError, match=r"sweep\.json"):
        sweep_status(tmp_path)
    assert main(["status", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
