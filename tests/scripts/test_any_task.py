"""Test the table of what agents reach on any task."""

from __future__ import annotations

from pathlib import Path

from experiments.any_task import FILE, PAGE, Result, lines, main, read, write


def test_rows_are_kept_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "any.csv"
    results = [Result("bandit", "Q", 5_000, 100, 1, 0.7), Result("bandit", "Q", 5_000, 100, 0, 0.5)]
    write(results, file)
    assert read(file) == sorted(results)
    assert lines(read(file))[2:] == [
        "| bandit | 5,000 |  | 0.60 (0.50), 2 |  |  |  | 0.9, optimum |"
    ]
    assert lines([Result("bandit", "Q", 4_000, 100, 1, 0.7)])[2:] == []


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    file = tmp_path / "any.csv"
    task = ["--tasks", "bandit", "--seeds", "100", "--file", str(file)]
    assert main(["measure", "--learners", "default", "Q", *task]) == 0
    first, other = read(file)
    assert (first.learner, other.learner) == ("Q", "default")
    assert first.mean_return > 0.5 < other.mean_return
    write([Result(**{**vars(first), "mean_return": 9.0}), other], file)
    assert main(["measure", "--learners", "default", "Q", *task]) == 0
    assert [row.mean_return for row in read(file)] == [9.0, other.mean_return]


def test_the_page_has_the_table() -> None:
    """docs/your-own-task.md is what the command makes of results/tables/any-task.csv."""
    text = PAGE.read_text()
    assert "\n".join(lines(read(FILE))) in text
