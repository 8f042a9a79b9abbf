"""Groups of runs are compared by interquartile means, intervals and probabilities."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurorl.cli import main
from neurorl.errors import ArgumentError, NeurorlError, RunError, UnknownNameError
from neurorl.lab.compare import compare, probability_of_improvement, quartiles_over_steps, scores_of
from neurorl.runs.training import train_seeds


def test_figures_of_a_known_case() -> None:
    low, high = compare({"a": {"t": [0.0, 1.0, 2.0, 9.0]}, "b": {"t": [3.0, 4.0, 5.0, 6.0]}})
    assert (low.n, low.iqm, low.mean, low.worst, low.better) == (4, 1.5, 3.0, 0.0, None)
    assert high.iqm == 4.5
    assert low.low <= low.iqm <= low.high
    assert high.better is not None
    assert high.better[0] == 0.75  # of 16 pairs, 12
    assert high.better[1] <= 0.75 <= high.better[2]


def test_ties_are_half_and_tasks_are_averaged() -> None:
    assert probability_of_improvement([[1.0, 1.0]], [[1.0]]) == 0.5
    assert probability_of_improvement([[2.0], [0.0]], [[1.0], [1.0]]) == 0.5
    assert probability_of_improvement([[2.0]], [[1.0, 2.0]]) == 0.75


def test_groups_without_a_task_in_common_have_no_probability() -> None:
    _, other = compare({"a": {"t": [1.0]}, "b": {"u": [2.0]}})
    assert other.better is None
    with pytest.raises(ArgumentError, match="no runs"):
        compare({"a": {}})


def test_curves_of_unequal_length_end_with_three_quarters_of_them() -> None:
    curves = [
        (np.arange(10, end + 1, 10), np.full(end // 10, value))
        for end, value in [(100, 1.0), (100, 2.0), (100, 3.0), (50, 9.0)]
    ]
    steps, quartiles = quartiles_over_steps(curves, points=91)
    assert steps[0] == 10
    assert steps[-1] == 100
    at_50 = int(np.flatnonzero(steps == 50)[0])
    assert quartiles[1, at_50] == 2.5  # of all four
    assert quartiles[1, -1] == 2.0  # of three
    values = quartiles_over_steps([(np.array([5, 20]), np.array([1.0, 2.0]))], points=4)[1]
    assert values[1].tolist() == [1.0, 1.0, 1.0, 2.0]  # a value holds until the next


def test_runs_of_a_folder_and_tables_of_a_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        runs = [(seed, tmp_path / name / f"seed{seed}") for seed in (0, 1)]
        train_seeds("neurorl/GridWorld-v0", runs, episodes=3)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["iqm"] == rows[1]["iqm"]
    assert rows[1]["better"][0] == 0.5
    assert main(["plot", str(tmp_path / "a"), "--out", str(tmp_path / "band.png")]) == 0
    assert (tmp_path / "band.png").stat().st_size > 5000
    table = tmp_path / "table.csv"
    table.write_text("env,rule,seed,greedy_return\nx,one,0,1.0\nx,one,1,2.0\nx,two,0,5.0\n")
    assert scores_of(table, "rule", None) == {
        "rule=one": {"x": [1.0, 2.0]},
        "rule=two": {"x": [5.0]},
    }
    capsys.readouterr()
    assert main(["compare", str(table), "--by", "rule"]) == 0
    assert "rule=two" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "by"),
    [("env,rule\nx,y\n", "rule"), ("env,greedy_return\nx,1\n", "rule")],
)
def test_tables_that_lack_a_column_are_named(text: str, by: str | None, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(UnknownNameError, match="column: unknown name"):
        scores_of(table, by, None)


def test_a_field_of_the_agent_is_a_column_by_its_own_name(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("env,set.beta,greedy_return\nx,0.1,1.0\nx,0.2,3.0\n")
    groups = scores_of(table, "beta", None)
    assert groups == {"set.beta=0.1": {"x": [1.0]}, "set.beta=0.2": {"x": [3.0]}}


def test_an_empty_table_is_said_to_be(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("")
    with pytest.raises(RunError, match="has no rows"):
        scores_of(table, None, None)


def test_what_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    for text in ("high", "", "nan", "-inf"):
        table.write_text(f"env,greedy_return\nx,1.0\nx,{text}\n")
        with pytest.raises(NeurorlError, match="line 3"):
            scores_of(table, None, None)
    with pytest.raises(NeurorlError, match="nothing"):
        scores_of(tmp_path / "nothing", None, None)
