"""Test tables and figures of learning: their numbers, their page, and a small run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from load_script import load_script

from experiments import run as run_module
from experiments.catalogue import CARTPOLE, EXPERIMENTS, GRIDWORLD, chosen
from experiments.checks import CheckRow, merge, read_checks, write_checks
from experiments.options import experiment_parser, plan_of
from experiments.page import markdown
from experiments.run import Plan, evaluation_seed, run
from experiments.tables import (
    Row,
    episodes_to_threshold,
    read_curve,
    read_rows,
    summary,
    write_table,
)
from neurorl.errors import RunError, UnknownNameError
from neurorl.lab.compare import bootstrap_interval, interquartile_mean, running_mean

BY_NAME = {e.name: e for e in EXPERIMENTS}
GRID, GRID_CHIP = BY_NAME["gridworld-lif"], BY_NAME["gridworld-lif-chip"]
SCRIPT = Path(__file__).parents[2] / "scripts" / "reproduce.py"


def row(seed: int, greedy: float, learned: int | None = 130) -> Row:
    return Row(seed, greedy, greedy - 1.0, learned, 250, 100, 60000, 690.4, 12000.0)


def test_interquartile_mean_by_hand() -> None:
    assert interquartile_mean([8.0, 1.0, 3.0, 2.0, 100.0, 4.0, 5.0, -50.0]) == 3.5  # 2, 3, 4, 5
    assert interquartile_mean([1.0, 2.0, 6.0]) == 3.0  # a quarter of 3 is none
    np.testing.assert_array_equal(interquartile_mean([[0, 1, 3, 9], [5, 5, 5, 5]]), [2.0, 5.0])


def test_bootstrap_draws_within_strata() -> None:
    assert bootstrap_interval([[2.0, 2.0], [2.0]]) == (2.0, 2.0)
    # 4 zeros and 4 ones, each drawn within its own: the middle half is always two of each.
    assert bootstrap_interval([[0.0] * 4, [1.0] * 4]) == (0.5, 0.5)
    low, high = bootstrap_interval([[0.0] * 4 + [1.0] * 4])
    assert low < 0.3
    assert high > 0.7


def test_episodes_to_threshold_by_hand() -> None:
    returns = [0.0, 0.0, 4.0, 4.0, 4.0, 0.0]
    np.testing.assert_allclose(running_mean(returns, 2), [0, 0, 2, 4, 4, 2])
    assert episodes_to_threshold(returns, 4.0, window=2) == 4
    assert episodes_to_threshold(returns, 2.0, window=2) == 3
    assert episodes_to_threshold(returns, 4.5, window=2) is None
    assert episodes_to_threshold([9.0], 1.0, window=2) is None
    assert episodes_to_threshold([500.0] * 100, 475.0) == 100


def test_processes_that_share_the_seeds_make_the_same_rows(tmp_path: Path) -> None:
    one, two = (
        Plan(tmp_path / f"jobs{jobs}", (0, 1), 3, "reference", 2, jobs=jobs) for jobs in (1, 2)
    )
    assert run(GRID, one) == run(GRID, two)


def test_summary_counts_failures() -> None:
    found = summary(
        BY_NAME["cartpole-lif"], [row(0, 500.0), row(1, 498.0), row(2, 500.0), row(5, 9.0)]
    )
    assert (found.failures, found.failed_seeds) == (2, "1 5")
    assert (found.mean, found.min, found.max) == (376.75, 9.0, 500.0)
    assert found.iqm == 499.0


def test_page_has_every_seed(tmp_path: Path) -> None:
    rows = [row(0, 500.0), row(1, 486.2, None), row(7, 499.5, 121)]
    path = write_table(tmp_path / "cartpole-lif.csv", rows)
    assert read_rows(path) == rows
    write_checks(tmp_path / "checks.csv", [CheckRow("cartpole-lif-chip", "loihi", 0, 250, "yes")])
    page = markdown(tmp_path, "python scripts/reproduce.py")
    assert "| LIF | spikes-only | float | 3 | 250 | 100 | **495.2** | 486.2 | 500.0 |" in page
    assert "125.5 (121 to 130), never in 1" in page
    assert "| 1 (seeds 1) |" in page
    assert "| 1 | 486.2 | never |" in page
    assert "| 7 | 499.5 | 121 |" in page
    assert "| cartpole-lif-chip on loihi | 0 | 250 | yes |" in page
    assert "Not run: cartpole-lif-chip, cartpole-glm, " in page
    for task in (GRIDWORLD, CARTPOLE):
        assert all(f"| {p.figure} | {p.source} |" in page for p in task.published)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gridworld-lif.csv"
    path.write_text("seed,greedy\n0,1.08\n")
    with pytest.raises(RunError, match="gridworld-lif"):
        read_rows(path)
    (tmp_path / "checks.csv").write_text("experiment\nx\n")
    with pytest.raises(RunError, match=r"checks\.csv"):
        read_checks(tmp_path / "checks.csv")


def test_checks_replace_their_own_row() -> None:
    old = CheckRow("b", "loihi", 0, 3, "no")
    new = CheckRow("b", "loihi", 0, 600, "yes")
    other = CheckRow("a", "loihi", 0, 3, "yes")
    assert merge([old, other], new) == [other, new]


def test_experiments_are_chosen_by_name_or_task() -> None:
    assert chosen(None) == EXPERIMENTS
    names = [e.name for e in chosen(["mountaincar", "gridworld-glm"])]
    assert names[:4] == [
        "gridworld-glm",
        "mountaincar-lif",
        "mountaincar-lif-chip",
        "mountaincar-glm",
    ]
    assert {name.split("-")[0] for name in names[1:]} == {"mountaincar"}
    with pytest.raises(UnknownNameError, match="did you mean 'cartpole'"):
        chosen(["cartpol"])


def test_what_is_complete_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(*seeds: int, episodes: int = 2) -> Plan:
        return Plan(tmp_path, seeds, episodes, "reference", evaluation_episodes=1)

    trained: list[int] = []
    first = run(GRID, plan(0), lambda _: trained.append(0))
    assert len(trained) == 2
    assert first[0]["seed"] == evaluation_seed(0)
    both = run(GRID, plan(0, 1), lambda _: trained.append(1))
    assert trained == [0, 0, 1, 1]
    assert both[0] == first[0]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained or evaluated again")

    monkeypatch.setattr(run_module, "train_seeds", refuse)
    monkeypatch.setattr(run_module, "evaluate", refuse)
    assert run(GRID, plan(0, 1)) == both
    with pytest.raises(RunError, match="has more episodes"):
        run(GRID, plan(0, episodes=1))
    (tmp_path / GRID.name).rename(tmp_path / GRID_CHIP.name)
    with pytest.raises(RunError, match="another arithmetic"):
        run(GRID_CHIP, plan(0))


def test_quick_is_two_seeds_and_three_episodes() -> None:
    plan = plan_of(experiment_parser("", "reproduce", "of none").parse_args(["--quick"]))
    assert [plan.seeds, plan.episodes, plan.backend] == [(0, 1), 3, "reference"]
    assert plan.out == Path("runs/reproduce-quick")


def test_quick_makes_all_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--out", str(tmp_path), "--episodes", "1", "--evaluation-episodes", "1"]
    assert load_script("reproduce").main(arguments) == 0
    printed = capsys.readouterr().out
    results = tmp_path / "results"
    for experiment in EXPERIMENTS:
        assert f"{experiment.name}: mean" in printed
        assert [r.seed for r in read_rows(results / f"{experiment.name}.csv")] == [0, 1]
        assert read_curve(results / "curves" / f"{experiment.name}.csv")[-1].episode == 1
    checks = read_checks(results / "checks.csv")
    assert {(c.experiment.split("-")[0], c.same) for c in checks} == {
        ("gridworld", "yes"),
        ("cartpole", "yes"),
        ("mountaincar", "yes"),
    }
    with (results / "summary.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(EXPERIMENTS)
    page = (tmp_path / "docs" / "learning.md").read_text()
    assert page.count("| GLM | centred-feedback | float | 2 | 1 |") == 3
    assert "Not run" not in page
    assert (tmp_path / "docs" / "learning.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_is_made_of_what_is_there(tmp_path: Path) -> None:
    write_table(tmp_path / "results" / "cartpole-lif.csv", [row(0, 500.0)])
    arguments = ["--page", "--results", str(tmp_path / "results"), "--docs", str(tmp_path / "docs")]
    assert load_script("reproduce").main(arguments) == 0
    assert "| LIF | spikes-only | float | 1 |" in (tmp_path / "docs" / "learning.md").read_text()
    assert (tmp_path / "results" / "summary.csv").exists()


def test_a_bad_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("reproduce").main(["--only", "pong"]) == 2
    assert "reproduce: experiment: unknown name" in capsys.readouterr().err
