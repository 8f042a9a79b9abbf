"""Compare groups of runs: interquartile means, intervals, and the probability of improvement."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorl.errors import ArgumentError, unknown_name_error
from neurorl.lab.statistics import (
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    probability_of_improvement,
)
from neurorl.runs.directory import RunDirectory
from neurorl.storage.reading import JSON_BYTES, FilePlace, read_bytes
from neurorl.storage.zoo import name_of

Scores = Mapping[str, Sequence[float]]
"""Map each task to the score of each of its runs."""
_LAST = 100


@dataclass(frozen=True)
class GroupSummary:
    """Hold the results of one group.

    n: number of runs. iqm, low, high: interquartile mean over all runs and its 95 % interval, runs
    resampled within tasks. mean, worst: over all runs. better: probability that one of its runs
    scores higher than one of the first group's, on tasks that both have, and its interval; None for
    the first group, and without such a task.
    """

    name: str
    n: int
    iqm: float
    low: float
    high: float
    mean: float
    worst: float
    better: tuple[float, float, float] | None


def compare(groups: Mapping[str, Scores]) -> list[GroupSummary]:
    """Return the results of each group; others are compared with the first.

    Scores of several tasks are averaged without scaling: normalise them first if scales differ.
    Raises ArgumentError for a group without runs.
    """
    result: list[GroupSummary] = []
    first: Scores = {}
    for number, (name, scores) in enumerate(groups.items()):
        every = [np.asarray(of_task, float) for of_task in scores.values() if len(of_task)]
        if not every:
            raise ArgumentError(f"group {name!r}", "has no runs with a score")
        joined = np.concatenate(every)
        low, high = bootstrap_interval(every)
        better = None
        if number == 0:
            first = scores
        elif both := [task for task in scores if first.get(task)]:
            ours, theirs = [scores[task] for task in both], [first[task] for task in both]
            interval = improvement_interval(ours, theirs)
            better = (probability_of_improvement(ours, theirs), *interval)
        figures = (float(interquartile_mean(joined)), low, high, float(joined.mean()))
        result.append(GroupSummary(name, len(joined), *figures, float(joined.min()), better))
    return result


def runs_in(folder: Path) -> list[Path]:
    """Return the runs directly below a folder, ordered by seed; else the folder itself."""
    if (folder / "config.json").exists() or not folder.is_dir():
        return [folder]
    below = [path.parent for path in folder.glob("*/config.json")]
    return sorted(below, key=lambda path: (len(path.name), path.name)) or [folder]


def scores_of(path: Path, by: str | None, score: str | None) -> dict[str, dict[str, list[float]]]:
    """Return the scores of a folder of runs, or of each group of a table, by group and task.

    path: a folder (a run's score is the mean return of its last 100 episodes), or ``table.csv`` of
    a sweep. by: the column whose values are the groups; None makes all rows one group. score: the
    column of scores; None takes ``greedy_return``, or if missing ``mean_return_last_100``.
    """
    if path.suffix.lower() == ".csv":
        return _of_table(path, by, score)
    by_task: dict[str, list[float]] = {}
    for folder in runs_in(path):
        run = RunDirectory(folder)
        returns = run.read_episodes()["return"][-_LAST:]
        if not returns:
            raise ArgumentError(f"run {folder}", "has no episodes yet")
        by_task.setdefault(run.read_config().env, []).append(float(np.mean(returns)))
    return {name_of(path): by_task}


def _of_table(path: Path, by: str | None, score: str | None) -> dict[str, dict[str, list[float]]]:
    place = FilePlace(f"table {path}")
    text = read_bytes(path, JSON_BYTES, place).decode(errors="replace")
    rows = list(csv.DictReader(text.splitlines()))
    if not rows:
        raise place.wrong("has no rows")
    columns = list(rows[0])
    greedy = "greedy_return" if "greedy_return" in columns else "mean_return_last_100"
    score = score or greedy
    if by and f"set.{by}" in columns:
        by = f"set.{by}"  # the column's name of such a field
    for name in (score, *([by] if by else [])):
        if name not in columns:
            raise unknown_name_error(f"table {path}, column", name, columns)
    groups: dict[str, dict[str, list[float]]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            value = float(row[score])
        except (TypeError, ValueError) as exc:
            raise place.wrong(f"has no number in line {number}", got=row[score]) from exc
        group = groups.setdefault(f"{by}={row[by]}" if by else str(path), {})
        group.setdefault(row.get("env") or "", []).append(value)
    return groups
