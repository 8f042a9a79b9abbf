"""Test the table of what agents reach on any task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

from experiments import any_task
from experiments.any_task import (
    BASELINES,
    CONTROLS,
    FILE,
    HELD_OUT_FILE,
    PAGE,
    README,
    Result,
    held_out,
    lines,
    main,
    read,
    short,
    with_first_plays,
    write,
)
from experiments.development_tasks import TASKS
from experiments.held_out_tasks import HELD_OUT


def test_rows_are_kept_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "any.csv"
    results = [Result("bandit", "Q", 5_000, 100, 1, 0.7), Result("bandit", "Q", 5_000, 100, 0, 0.5)]
    write(results, file)
    assert read(file) == sorted(results)
    assert lines(read(file))[2:] == [
        "| bandit | 5,000 |  |  | **0.60** (0.50), 2 |  |  |  |  |  | 0.9, optimum |"
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


def test_the_pages_have_the_tables() -> None:
    """docs/your-own-task.md and README.md are what the command makes of the two files."""
    results = [*read(FILE), *read(BASELINES), *read(CONTROLS)]
    assert "\n".join(lines(results)) in PAGE.read_text()
    assert "\n".join(short(results)) in README.read_text()
    assert "\n".join(held_out(read(HELD_OUT_FILE))) in PAGE.read_text()


def test_the_default_beside_the_best_of_others() -> None:
    def rows(name: str, **reached: float) -> list[Result]:
        steps = next(task.steps for task in HELD_OUT if task.name == name)
        return [Result(name, who, steps, 100, 0, mean) for who, mean in reached.items()]

    table = held_out(
        [
            *rows("maze", default=1.0, Q=0.5, SARSA=0.996),
            *rows("windy gridworld", default=-20.0, Q=-15.0, SARSA=-30.0),
            *rows("umbrella chain", default=1.0),
        ]
    )
    assert [row.split(" | ")[-1] for row in table[2:5]] == ["worse |", "as good or better |", " |"]
    assert table[-1] == "as good or better: 1 of 2 tasks."


@pytest.mark.filterwarnings("ignore")  # of others' packages; Box2D's crash where they are errors
def test_held_out_tasks_are_no_development_tasks_and_can_be_played() -> None:
    assert not {task.name for task in HELD_OUT} & {task.name for task in TASKS}
    for task in HELD_OUT:
        try:
            env = task.make()
        except (ImportError, gym.error.Error):
            assert task.extra  # says what it needs
            continue
        env.action_space.seed(1)
        seen, _ = env.reset(seed=1)
        for _ in range(30):
            assert env.observation_space.contains(seen), task.name
            seen, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            assert isinstance(float(reward), float)
            if terminated or truncated:
                seen, _ = env.reset()
        env.close()


def test_the_short_table_has_the_best_of_others() -> None:
    def row(learner: str, seed: int, mean: float) -> Result:
        return Result("Acrobot-v1", learner, 100_000, 100, seed, mean)

    rows = [row("default", 0, -80.0), row("default", 1, -81.0), row("linear", 0, -70.0)]
    rows += [row("DQN", 0, -90.0), row("PPO", 0, -85.0)]
    published = "published: DQN -76.6 (100k), published: PPO -73.5 (1M)"
    assert short(rows)[2:] == [
        "| Acrobot-v1 | 100,000 | -80.50 (-81.00), 2 | -70.00 (-70.00), 1 "
        f"| PPO -85.00, {published} |"
    ]
    assert short(rows[3:])[2:] == []


def test_published_figures_stand_beside(tmp_path: Path) -> None:
    shown = lines([Result("CartPole", "default", 60_000, 100, 0, 500.0)])[2]
    assert "| 500.00 (500.00), 1 |" in shown
    assert "| DQN 500.0 (50k), PPO 500.0 (100k) |" in shown


def test_a_task_without_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(*_: object) -> None:
        raise ImportError("no module named 'stable_baselines3'")

    monkeypatch.setattr(any_task, "measure", without)
    file = tmp_path / "any.csv"
    chosen = ["--tasks", "bandit", "--learners", "PPO", "--seeds", "0", "--file", str(file)]
    assert main(["measure", *chosen]) == 0
    assert "bandit, PPO: left out: no module named" in capsys.readouterr().out
    assert not file.exists()


def test_first_plays_are_counted_without_training(capsys: pytest.CaptureFixture[str]) -> None:
    lake = next(task for task in TASKS if task.name == "FrozenLake-v1, slippery")

    def refuse() -> gym.Env[object, object]:
        raise ImportError("no module named 'lake'")

    other = replace(lake, name="elsewhere", make=refuse)
    rows = [
        Result(name, learner, lake.steps, 100, 0, 0.7)
        for name in (lake.name, other.name)
        for learner in ("Q", "default")
    ]
    counted = with_first_plays(rows, [lake, other])
    assert [row.first_play_steps for row in counted] == [0, 2000, 0, 0]
    assert "elsewhere: left out: no module named 'lake'" in capsys.readouterr().out
    assert "| FrozenLake-v1, slippery | 100,000 + 2,000 |" in lines(counted)[2]
