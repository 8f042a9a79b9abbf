"""Test the rows of controls: what is kept, and the tables that are made of them."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import pytest

from experiments import controls
from experiments.any_task import FILE as DEFAULTS
from experiments.any_task import HELD_OUT_FILE, Result, read, write
from experiments.controls import (
    FILE,
    LINEAR,
    SUITES,
    Suite,
    lines_of_minatar,
    lines_of_presets,
    lines_of_tiles,
    main,
    measure,
)
from experiments.development_tasks import TASKS, Task

ROOT = Path(__file__).parents[2]
BANDIT = next(task for task in TASKS if task.name == "bandit")


def test_a_row_is_measured_of_each_learner() -> None:
    suite = Suite((), (), 1, by_episodes=True)
    task = Task("neurorl/GridWorld-v0", lambda: gym.make("neurorl/GridWorld-v0"), 3, "")
    task = Task(task.name, task.make, 3, "", episodes=2, discount=0.9)
    rows = [measure(suite, task, learner, 1) for learner in controls.LEARNERS]
    assert [(row.learner, row.steps, row.episodes) for row in rows] == [
        (learner, 3, 2) for learner in controls.LEARNERS
    ]
    assert all(0.0 <= row.mean_return < 10.0 for row in rows)  # discounted


def test_what_is_there_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "controls.csv"
    small = Task(BANDIT.name, BANDIT.make, 50, "", episodes=5)
    monkeypatch.setattr(controls, "SUITES", {"small": Suite((small,), (LINEAR,), 2)})
    assert main(["measure", "--file", str(file)]) == 0
    first, second = read(file)
    assert (first.learner, first.seed, second.seed) == (LINEAR, 0, 1)
    write([Result(**{**vars(first), "mean_return": 9.0}), second], file)
    assert main(["measure", "--file", str(file), "--seeds", "1"]) == 0
    assert [row.mean_return for row in read(file)] == [9.0, second.mean_return]


def test_a_task_without_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without() -> None:
        raise ImportError("no module named 'minatar'")

    lacking = Task("MinAtar Pong", without, 50, "")  # type: ignore[arg-type]
    monkeypatch.setattr(controls, "SUITES", {"small": Suite((lacking,), (LINEAR,), 2)})
    assert main(["measure", "--file", str(tmp_path / "controls.csv")]) == 0
    assert "MinAtar Pong: left out: no module named" in capsys.readouterr().out


def test_tables_have_the_worst_seed_beside_the_mean() -> None:
    rows = [Result("CartPole-v1", "frozen", 250, 100, seed, 10.0 + seed) for seed in range(2)]
    table = lines_of_presets(rows, {"CartPole-v1": [500.0, 499.0]})
    assert table[0].startswith("| task | episodes | preset | frozen |")
    assert table[3] == "| CartPole-v1 | 250 | 499.50 (499.00), 2 | 10.50 (10.00), 2 |  |  |  |"


def test_the_suites_are_of_tasks_that_have_other_rows() -> None:
    """The same steps as the rows that controls stand beside."""
    known = {task.name: task for task in TASKS}
    assert all(task is known[task.name] for task in SUITES["any-task"].tasks)
    assert len(SUITES["any-task"].tasks) == 11
    assert [task.steps for task in SUITES["presets"].tasks] == [600, 250, 1000]
    assert len(SUITES["minatar"].tasks) == 5


def test_the_pages_have_the_tables() -> None:
    """docs/your-own-task.md is what the command makes of the file."""
    page = (ROOT / "docs" / "your-own-task.md").read_text()
    rows, held_out = read(FILE), read(HELD_OUT_FILE)
    assert "\n".join(lines_of_minatar(rows, held_out)) in page
    assert "\n".join(lines_of_tiles([*read(DEFAULTS), *rows, *held_out])) in page


def test_no_seed_was_left_out() -> None:
    """Seeds count from 0, with those of held-out tasks, and are as many as the suite says."""
    seeds: dict[tuple[str, str], list[int]] = {}
    rows = [*read(DEFAULTS), *read(FILE), *read(HELD_OUT_FILE)]
    own = {
        (task.name, name)
        for suite in SUITES.values()
        for task in suite.tasks
        for name in suite.learners
    }
    for row in (r for r in rows if (r.task, r.learner) in own):
        seeds.setdefault((row.task, row.learner), []).append(row.seed)
    assert all(sorted(of) == list(range(len(of))) for of in seeds.values())
    for suite in SUITES.values():
        for task in suite.tasks:
            assert all(len(seeds[task.name, name]) >= suite.seeds for name in suite.learners), task
