"""Test the declared grids: what they may hold, and a run of one in small."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from experiments.catalogue import EXPERIMENTS, SEEDS, TASKS
from experiments.grids import GRIDS, PRESET_GRIDS, RULE_GRIDS, Grid, rule_grid, words
from experiments.tables import write_table
from experiments.tuning import TuningRow, chosen_grids, experiments_of, read_tuning, tune
from experiments.tuning_page import tuning_section
from neurorl.errors import RunError, UnknownNameError
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Tiles
from neurorl.tasks.environments import make_env

ENV = {task.name: task.env for task in TASKS}


def test_no_grid_sees_a_reported_seed() -> None:
    assert all(not set(grid.seeds) & set(SEEDS) for grid in GRIDS)
    assert max(Counter(grid.name for grid in GRIDS).values()) == 1


@pytest.mark.parametrize("grid", [g for g in PRESET_GRIDS if g.chosen], ids=lambda grid: grid.name)
def test_a_preset_is_the_chosen_setting(grid: Grid) -> None:
    env = make_env(ENV[grid.task])
    chosen = make_config(env, grid.model, dict(grid.settings[grid.chosen]))
    assert chosen.to_dict() == make_config(env, grid.model).to_dict()
    assert chosen.rule == grid.rule


def test_every_rule_has_rates_on_every_task() -> None:
    rules = {(grid.model, grid.rule) for grid in RULE_GRIDS}
    assert {(g.task, g.model, g.rule) for g in RULE_GRIDS} == {
        (task.name, model, rule) for task in TASKS for model, rule in rules
    }
    for grid in RULE_GRIDS:
        assert len(grid.settings) >= 3
        reported = [e for e in EXPERIMENTS if e.name == grid.name]
        assert [e.overrides for e in reported] == [
            {"rule": grid.rule, **grid.settings[grid.chosen]}
        ]
        for _, experiment in experiments_of(grid):
            make_config(make_env(experiment.task.env), grid.model, experiment.overrides)


def test_rates_are_named_after_their_numbers() -> None:
    each = ((0.1, 0.03), (0.3,))
    grid = rule_grid("cartpole", "glm", "coagent", each, (0.3,), (60, 250))
    assert grid.settings == {
        "0.1-0.03": {"alpha_output": 0.1, "alpha_hidden": 0.03},
        "0.3": {"alpha_output": 0.3},
    }
    assert (grid.name, grid.chosen) == ("cartpole-glm-coagent", "0.3")
    assert (grid.episodes, grid.reported_episodes, grid.seeds) == (60, 250, tuple(range(100, 105)))
    assert words(grid.settings["0.1-0.03"]) == "alpha_output=0.1 alpha_hidden=0.03"
    assert words({"cells": Tiles((0.0,), (1.0,), 4, 6)}) == "cells=Tiles(tilings=4, bins=6)"
    assert words({}) == "as it is"


def test_grids_are_chosen_by_name_or_task() -> None:
    assert chosen_grids(None) == GRIDS
    assert {grid.task for grid in chosen_grids(["cartpole"])} == {"cartpole"}
    with pytest.raises(UnknownNameError, match="grid"):
        chosen_grids(["pong"])


def test_a_grid_in_small(tmp_path: Path) -> None:
    each = ((0.1, 0.1), (0.2, 0.2))
    grid = rule_grid("gridworld", "glm", "coagent", each, (0.2, 0.2), (300, 300))
    lines: list[str] = []
    path = tune(grid, tmp_path, tmp_path, lambda *_: lambda _: None, lines.append, quick=True)
    table = read_tuning(path)
    assert [row.setting for row in table] == ["0.1-0.1", "0.2-0.2"]
    assert [row.chosen for row in table] == ["", "yes"]
    assert {(row.seeds, row.episodes, row.learned, row.never) for row in table} == {
        ("100..101", 2, None, 2)
    }
    assert [line.split(":")[0] for line in lines] == [
        "gridworld-glm-coagent/0.1-0.1",
        "gridworld-glm-coagent/0.2-0.2",
    ]
    path.write_text("setting,mean\nx,1\n")
    with pytest.raises(RunError, match="gridworld-glm-coagent"):
        read_tuning(path)


def test_a_grid_of_which_nothing_was_taken(tmp_path: Path) -> None:
    grid = next(grid for grid in GRIDS if not grid.chosen)
    rows = [TuningRow("a", "beta=1", "100..104", 60, -120.25, -130.0, 5, None, 5, "")]
    write_table(tmp_path / f"{grid.name}.csv", rows)
    (line,) = (x for x in tuning_section(tmp_path) if x.startswith(f"| {grid.name} |"))
    assert line.endswith("| 1 | 100..104 | 60 | none |  |  |  |  | -120.2 |")


def test_the_page_has_a_row_for_each_grid(tmp_path: Path) -> None:
    assert tuning_section(tmp_path) == []
    grid = GRIDS[0]
    rows = [
        TuningRow("a", "beta=1", "100..104", 60, 9.5, 8.0, 5, None, 5, ""),
        TuningRow("b", "beta=2", "100..104", 60, 1.25, 1.0, 0, 131.5, 0, "yes"),
    ]
    write_table(tmp_path / f"{grid.name}.csv", rows)
    assert read_tuning(tmp_path / f"{grid.name}.csv") == rows
    (line,) = (x for x in tuning_section(tmp_path) if x.startswith(f"| {grid.name} |"))
    assert "| 2 | 100..104 | 60 | `beta=2` | **1.2" in line
    assert "| 131.5 | 9.5" in line
