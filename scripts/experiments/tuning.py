"""Run declared grids of settings on tuning seeds: ``results/tuning/NAME.csv``."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import BANDIT, TASKS, Experiment
from experiments.grid import Overrides
from experiments.grids import GRIDS, Grid, words
from experiments.run import Plan, run
from experiments.tables import Row, rows_of, write_table
from neurorl.agents.episodes import Episode
from neurorl.backends.spec import BackendSpec
from neurorl.errors import RunError, unknown_name_error
from neurorl.models.agent.writes import PLACES


@dataclass(frozen=True)
class TuningRow:
    """Hold one setting over all seeds; learned: median episode, seeds that never did last.

    learned is None if that is "never". chosen: ``yes`` for the setting that is in use.
    """

    setting: str
    overrides: str
    seeds: str
    episodes: int
    mean: float
    min: float
    failures: int
    learned: float | None
    never: int
    chosen: str


def chosen_grids(names: Sequence[str] | None) -> tuple[Grid, ...]:
    """Return the grids of these names, or of tasks of these names; None: all."""
    if names is None:
        return GRIDS
    known = {grid.name for grid in GRIDS} | {task.name for task in TASKS}
    for name in names:
        if name not in known:
            raise unknown_name_error("grid", name, known)
    return tuple(grid for grid in GRIDS if {grid.name, grid.task} & set(names))


def experiments_of(grid: Grid) -> Iterator[tuple[str, Experiment]]:
    """Return an experiment for each setting, its runs in ``OUT/grid/setting``."""
    (task,) = (task for task in (*TASKS, BANDIT) if task.name == grid.task)
    for setting, overrides in grid.settings.items():
        on = "loihi" if _learns_on_chip(overrides) else "native"
        yield (
            setting,
            Experiment(
                name=f"{grid.name}/{setting}",
                label=grid.model.upper(),
                rule=grid.rule,
                task=task,
                model=grid.model,
                spec=BackendSpec(on, grid.arithmetic),
                episodes=grid.episodes,
                overrides={"rule": grid.rule, **overrides},
            ),
        )


def _learns_on_chip(overrides: Overrides) -> bool:
    return PLACES.class_of(overrides.get("learning", "host")).on_chip


def tune(
    grid: Grid,
    out: Path,
    results: Path,
    begin: Callable[[str, int], Callable[[Episode], None]],
    say_line: Callable[[str], None],
    quick: bool = False,
) -> Path:
    """Run what isn't run yet of *grid*, and write its table; returns the table's path.

    begin, say_line: as in `experiments.command.reproduce`. quick: 2 seeds, 2 episodes.
    """
    plan = Plan(out, grid.seeds, evaluation_episodes=grid.evaluation_episodes or None)
    if quick:
        on_chip = any(_learns_on_chip(overrides) for overrides in grid.settings.values())
        plan = Plan(out, grid.seeds[:2], 2, None if on_chip else "reference", 1)
    table = []
    for setting, experiment in experiments_of(grid):
        total = plan.episodes_of(experiment) * len(plan.seeds)
        played = run(experiment, plan, begin(experiment.name, total))
        row = _row(grid, setting, experiment, rows_of(experiment, plan, played))
        table.append(row)
        say_line(_line(experiment, row))
    return write_table(results / f"{grid.name}.csv", table)


def read_tuning(path: Path) -> list[TuningRow]:
    """Read the rows that `tune` wrote. Raises RunError if the file is damaged."""
    try:
        with path.open(newline="") as file:
            return [_read(line) for line in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise RunError(f"table {path}", "is damaged", got=exc) from exc


def _row(grid: Grid, setting: str, experiment: Experiment, rows: Sequence[Row]) -> TuningRow:
    greedy = [row.greedy for row in rows]
    learned = [row.episodes_to_threshold or np.inf for row in rows]
    median = float(np.median(learned))
    return TuningRow(
        setting=setting,
        overrides=words(grid.settings[setting]),
        seeds=f"{rows[0].seed}..{rows[-1].seed}",
        episodes=rows[0].episodes,
        mean=float(np.mean(greedy)),
        min=min(greedy),
        failures=sum(figure < experiment.task.floor for figure in greedy),
        learned=median if np.isfinite(median) else None,
        never=int(np.isinf(learned).sum()),
        chosen="yes" if setting == grid.chosen else "",
    )


def _line(experiment: Experiment, row: TuningRow) -> str:
    digits = experiment.task.digits
    learned = "never" if row.learned is None else f"{row.learned:g}"
    return (
        f"{experiment.name}: mean {row.mean:.{digits}f}, min {row.min:.{digits}f}, "
        f"{row.failures} below {experiment.task.floor:g}, learned {learned}"
    )


def _read(line: dict[str, Any]) -> TuningRow:
    return TuningRow(
        setting=line["setting"],
        overrides=line["overrides"],
        seeds=line["seeds"],
        episodes=int(line["episodes"]),
        mean=float(line["mean"]),
        min=float(line["min"]),
        failures=int(line["failures"]),
        learned=float(line["learned"]) if line["learned"] else None,
        never=int(line["never"]),
        chosen=line["chosen"],
    )
