"""Test the comparison of learning on the chip: its experiments, its script and its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from load_script import load_script

from experiments.catalogue import EXPERIMENTS, SEEDS
from experiments.pes import COMPARED, GRIDS
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.environments import make_env


def test_the_host_learns_in_the_same_network() -> None:
    by_name = {e.name: e for e in COMPARED}
    for task in ("bandit", "gridworld", "cartpole"):
        pes, host = by_name[f"{task}-lif-pes"], by_name[f"{task}-lif-pes-host"]
        env = make_env(pes.task.env)
        first, second = (make_config(env, e.model, e.overrides).to_dict() for e in (pes, host))
        assert {k for k in first if first[k] != second[k]} == {"learning"}
        assert (pes.arithmetic, host.arithmetic) == ("loihi", "loihi")
        assert pes.episodes == host.episodes


def test_the_presets_are_those_of_the_other_page() -> None:
    """They need not be run twice: ``results/TASK-lif-chip.csv`` are theirs."""
    known = {e.name: e for e in EXPERIMENTS}
    for e in COMPARED:
        if e.name.endswith("lif-chip") and e.task.name != "bandit":
            theirs = known[e.name]
            assert (e.overrides, e.arithmetic, e.model) == ({}, theirs.arithmetic, theirs.model)
            assert (e.episodes, e.evaluation_episodes) == (theirs.episodes, None)


def test_settings_are_tried_on_other_seeds() -> None:
    for grid in GRIDS:
        assert not set(grid.seeds) & set(SEEDS)
        assert grid.settings[grid.chosen] == {"learning": "pes"}
        assert all(setting["learning"] == "pes" for setting in grid.settings.values())


def test_the_script_writes_tables_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pes = load_script("pes")
    out = str(tmp_path / "out")
    assert pes.main(["--quick", "--only", "bandit", "--out", out]) == 0
    assert "bandit-lif-pes-host: mean" in capsys.readouterr().out
    assert pes.main(["--quick", "--tune", "--only", "bandit", "--out", out]) == 0
    page = (tmp_path / "out" / "docs" / "pes.md").read_text()
    assert page.count("PES, on the chip") == 2
    assert "| host, same network |" in page
    assert "| bandit | `learning.magnitude=60.0` | 100..101 |" in page
    rows = (tmp_path / "out" / "results" / "bandit-lif-pes.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["seed", "0", "1"]
    assert pes.main(["--only", "mountaincar"]) == 2
    assert "experiment: unknown name (got 'mountaincar')" in capsys.readouterr().err


def test_the_cost_of_a_decision_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench_pes = load_script("bench_pes")
    monkeypatch.setattr(bench_pes, "ENVS", ("neurorl/Bandit-v0",))
    assert bench_pes.main(["--rounds", "1"]) == 0
    row = capsys.readouterr().out.splitlines()[-1].split("|")
    assert row[1:3] == [" neurorl/Bandit-v0 ", " 280 "]
    assert all(float(cell) > 0 for cell in row[3:6])
