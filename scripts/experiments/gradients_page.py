"""Make the tables of docs/reparameterization.md from the CSV of `experiments.gradients`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.catalogue import ARITHMETIC
from experiments.gradients import GRADIENTS, GradientExperiment
from experiments.markup import put_between, table_head, table_row
from experiments.recall import LEARNED_BY, RECALLS, REMEMBERED
from neurorl.arithmetic.rounding import ChipArithmetic, FloatArithmetic

Line = Mapping[str, str]


def put_table(page: Path, results: Path) -> None:
    """Write the table of what is in *results* between the marks of *page*. Raises RunError."""
    put_between(page, "gradients", table(results))


def put_recalls(page: Path, results: Path) -> None:
    """Put the table of networks with and without a memory into its page."""
    put_between(page, "recalls", recalls(results))


def table(results: Path) -> list[str]:
    """Format a row for each experiment that has its CSV, the network's local ones beside it."""
    head = ["task", "network", "learned by", "arithmetic", "seeds", "greedy", "on the chip"]
    lines = table_head([*head, "episodes to threshold", "env steps to it", "env steps", "spikes"])
    for task, model in dict.fromkeys((e.task, e.model) for e in GRADIENTS):
        first = (task.env, model.upper())
        local = f"{task.name}-{model}"
        for name, cls in ((local, FloatArithmetic), (f"{local}-chip", ChipArithmetic)):
            rows = _read(results / f"{name}.csv")
            if rows:
                shown = _score(task.digits, rows, "greedy")
                played: tuple[str, ...] = ("", shown) if cls.is_chip else (shown, "")
                lines.append(table_row(*first, "local rule", cls.title, *_cells(rows, played)))
        for e in GRADIENTS:
            rows = _read(results / f"{e.name}.csv")
            if (e.task, e.model) == (task, model) and rows:
                played = tuple(_score(task.digits, rows, key) for key in ("greedy", "on_chip"))
                cells = _cells(rows, played)
                if e.start:  # it had learned before
                    cells[3:5] = "", ""
                lines.append(table_row(*first, _how(e), ARITHMETIC[e.arithmetic], *cells))
    return lines


def recalls(results: Path) -> list[str]:
    """Format a row for each experiment with or without a memory that has its CSV."""
    head = ["learned by", "told of the past", "seeds", "greedy", "on the chip", "failures"]
    lines = table_head([*head, "env steps to threshold", "env steps", "episodes", "spikes"])
    for e in RECALLS:
        rows = _read(results / f"{e.name}.csv")
        if rows:
            played = [_score(e.task.digits, rows, key) for key in ("greedy", "on_chip")]
            failed = [row["seed"] for row in rows if float(row["greedy"]) < e.task.floor]
            failures = "all" if len(failed) == len(rows) else ", ".join(failed) or "none"
            reached, (steps, episodes, spikes) = (
                _median(rows, "steps_to_threshold"),
                (_mean(rows, key) for key in ("env_steps", "episodes", "spikes_per_decision")),
            )
            cells = (str(len(rows)), *played, failures, reached, steps, episodes, spikes)
            lines.append(table_row(LEARNED_BY[e.approach], REMEMBERED[e.name], *cells))
    return lines


def _mean(rows: Sequence[Line], key: str) -> str:
    return f"{np.mean([float(row[key]) for row in rows]):,.0f}"


def _how(experiment: GradientExperiment) -> str:
    if experiment.start is None:
        return "gradients"
    return f"gradients in float, then {LEARNED_BY[experiment.approach]}"


def _cells(rows: Sequence[Line], played: Sequence[str]) -> list[str]:
    spikes = float(np.mean([float(row["spikes_per_decision"]) for row in rows]))
    steps = float(np.mean([int(row["env_steps"]) for row in rows]))
    reached = [_median(rows, key) for key in ("episodes_to_threshold", "steps_to_threshold")]
    return [str(len(rows)), *played, *reached, f"{steps:,.0f}", f"{spikes:,.0f}"]


def _score(digits: int, rows: Sequence[Line], key: str) -> str:
    values = [float(row[key]) for row in rows if row[key]]
    return f"**{np.mean(values):.{digits}f}** ({min(values):.{digits}f})" if values else ""


def _median(rows: Sequence[Line], key: str) -> str:
    """Return the median of all seeds, those that never reached it last; empty without a column."""
    if key not in rows[0]:
        return ""
    median = float(np.median([float(row[key] or np.inf) for row in rows]))
    return f"{median:,.0f}" if np.isfinite(median) else "-"


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
