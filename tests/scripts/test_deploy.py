"""Test what float-trained agents lose on the chip: the table's numbers, and a small run."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from load_script import SCRIPTS

from experiments.checks import CheckRow, read_checks, write_checks
from experiments.deploy import (
    DEPLOYED,
    NOISES,
    DeploymentRow,
    RateRow,
    chosen_deployments,
    deploy,
    write_deployment,
)
from experiments.deploy_page import deployment_page, lost_percent
from experiments.deploy_xylo import XyloRow, xylo_table
from experiments.run import Plan
from experiments.tables import read_table, write_table
from neurorl.errors import RunError, UnknownNameError

SCRIPT = SCRIPTS / "deploy.py"


def row(
    seed: int, described: float, deployed: float, name: str = "mountaincar-glm"
) -> DeploymentRow:
    return DeploymentRow(name, "chip", seed, 100, described, deployed, 0.99, 0.95, 0.9)


def test_the_presets_of_all_tasks_are_deployed() -> None:
    tasks = ("gridworld", "cartpole", "mountaincar")
    assert {e.name for e in DEPLOYED} == {f"{t}-{m}" for t in tasks for m in ("lif", "glm")}
    assert {e.name for e in chosen_deployments(["cartpole"])} == {"cartpole-lif", "cartpole-glm"}
    with pytest.raises(UnknownNameError, match="did you mean 'cartpole-lif'"):
        chosen_deployments(["cartpole-lit"])


def test_loss_is_of_the_float_return_whatever_its_sign() -> None:
    assert lost_percent([row(0, 500.0, 495.0)]) == 1.0
    assert lost_percent([row(0, -100.0, -103.0)]) == 3.0
    assert lost_percent([row(0, -100.0, -98.0), row(1, -300.0, -306.0)]) == 1.0
    assert lost_percent([row(0, 0.0, 0.0)]) == 0.0


def test_tables_keep_what_others_wrote(tmp_path: Path) -> None:
    path = tmp_path / "deployment.csv"
    write_deployment(path, [row(0, -100.0, -101.0), row(1, -100.0, -102.0)])
    other = row(0, 500.0, 499.5, "cartpole-lif")
    write_deployment(path, [other])
    write_deployment(path, [row(0, -99.0, -101.25)])
    assert read_table(path, DeploymentRow) == [other, row(0, -99.0, -101.25)]
    path.write_text(path.read_text().replace("499.5", "many"))
    with pytest.raises(RunError, match="damaged"):
        read_table(path, DeploymentRow)


def test_the_page_says_what_is_lost_in_xylos_integers(tmp_path: Path) -> None:
    rows = [
        XyloRow("mountaincar", 0, -99.0, -100.0, -100.0),
        XyloRow("mountaincar", 3, -105.0, -100.0, -104.0),
    ]
    assert "Xylo's integers" not in deployment_page(*_empty(tmp_path))
    (tmp_path / "tables").mkdir()
    write_table(xylo_table(tmp_path), rows)
    expected = (
        "| mountaincar | 2 | -100.0 (-100.0) | -102.0 (-104.0) | **2.00 %** | 4.00 % (seed 3) |"
        " -102.0 (-105.0) |"
    )
    assert expected in deployment_page(*_empty(tmp_path))


def _empty(results: Path) -> tuple[Path, str, str]:
    """Make tables without rows, and return what a page of them takes."""
    for name, kind in (("deployment", DeploymentRow), ("deployment-rates", RateRow)):
        names = ",".join(field.name for field in dataclasses.fields(kind))
        (results / f"{name}.csv").write_text(f"{names}\n")
    return results, "a command", "native"


def test_the_page_says_what_is_lost(tmp_path: Path) -> None:
    rows = [row(0, -100.0, -101.0), row(7, -100.0, -105.0), row(9, -100.0, -99.0)]
    rates = [
        RateRow("mountaincar-glm", "chip", seed, "output", 0.5, deployed, 0.002, 0.01)
        for seed, deployed in ((0, 0.5), (7, 0.45), (9, 0.5))
    ]
    write_deployment(tmp_path / "deployment.csv", rows)
    write_deployment(tmp_path / "deployment-rates.csv", rates)
    write_checks(
        tmp_path / "deployment-checks.csv",
        [CheckRow("mountaincar-glm, chip", "loihi", 0, 10, "yes")],
    )
    page = deployment_page(tmp_path, "python scripts/deploy.py", "Brian2")
    for line in (
        "| mountaincar | GLM | `chip` | 3 | -100.0 | -101.7 | **1.67 %** | 5.00 % (seed 7) |"
        " 99.0 % | 95.0 % | 90.0 % |",
        "| mountaincar | GLM | `chip` | output | 0.5000 | 0.4833 | -3.33 % | -10.00 % |"
        " 0.0020 (0.0100) |",
        "| mountaincar-glm, chip | 0 | 10 | yes |",
    ):
        assert line in page.splitlines()


def test_a_run_in_small(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--quick", "--only", "cartpole-glm"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    results = tmp_path / "results"
    rows = read_table(results / "deployment.csv", DeploymentRow)
    assert [(r.noise, r.seed) for r in rows] == [(n, s) for s in (0, 1) for n in NOISES["glm"]]
    for found in rows:
        assert 0.3 < found.agreement <= 1
        assert min(found.described, found.deployed) >= 8
    checks = read_checks(results / "deployment-checks.csv")
    assert [check.same for check in checks] == ["yes"] * 3
    assert "| cartpole | GLM | `chip+coins` | 2 |" in (tmp_path / "docs/deployment.md").read_text()
    # What is there isn't played again, unless it was of something else.
    (experiment,) = chosen_deployments(["cartpole-glm"])
    plan = Plan(tmp_path, (0, 1), 3, "reference", 2)
    file = tmp_path / "cartpole-glm" / "seed1" / "deployed-chip.json"
    before = file.stat().st_mtime_ns
    assert deploy(experiment, plan)[0] == rows
    assert file.stat().st_mtime_ns == before
    more = deploy(experiment, dataclasses.replace(plan, evaluation_episodes=1))[0]
    assert [found.episodes for found in more] == [1] * 6
