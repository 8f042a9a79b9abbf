"""Turn runs into CSV: a row for each seed, a summary for each experiment, curve quantiles."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from experiments.catalogue import Experiment
from experiments.run import Plan, run_path
from neurorl.errors import RunError
from neurorl.lab.compare import WINDOW, bootstrap_interval, interquartile_mean, running_mean
from neurorl.runs.directory import RunDirectory
from neurorl.storage.files import make_folder, write_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EVERY = 10
"""Plot a point of a curve every so many episodes."""


def episodes_to_threshold(
    returns: npt.ArrayLike, threshold: float, window: int = WINDOW
) -> int | None:
    """Return when the mean of *window* in a row first reached *threshold*; or None."""
    reached = np.flatnonzero(running_mean(returns, window)[window - 1 :] >= threshold - 1e-9)
    return int(reached[0]) + window if len(reached) else None


@dataclass(frozen=True)
class Row:
    """Hold figures of one seed. greedy and last_100 are of the task's kind: discounted or not."""

    seed: int
    greedy: float
    last_100: float
    episodes_to_threshold: int | None
    episodes: int
    evaluation_episodes: int
    env_steps: int
    spikes_per_decision: float
    synops_per_decision: float


@dataclass(frozen=True)
class Summary:
    """Hold figures of one experiment; iqm: interquartile mean with a 95 % bootstrap interval."""

    experiment: str
    seeds: int
    mean: float
    min: float
    max: float
    iqm: float
    iqm_low: float
    iqm_high: float
    failures: int
    failed_seeds: str


@dataclass(frozen=True)
class CurvePoint:
    """Hold quantiles over seeds, after *episode* episodes, of the running mean of 100."""

    episode: int
    mean: float
    lower_quartile: float
    upper_quartile: float


def rows_of(experiment: Experiment, plan: Plan, evaluations: Sequence[dict[str, Any]]) -> list[Row]:
    """Return a row for each seed of *plan*. evaluations: what `run` returned."""
    rows = []
    figure = "mean_discounted_return" if experiment.task.discounted else "mean_return"
    for seed, played in zip(plan.seeds, evaluations, strict=True):
        columns = RunDirectory(run_path(plan, experiment.name, seed)).read_episodes()
        returns = _returns(experiment, columns)
        rows.append(
            Row(
                seed=seed,
                greedy=float(played[figure]),
                last_100=float(np.mean(returns[-WINDOW:])),
                episodes_to_threshold=episodes_to_threshold(returns, experiment.task.threshold),
                episodes=len(returns),
                evaluation_episodes=int(played["episodes"]),
                env_steps=int(columns["env_steps"][-1]),
                spikes_per_decision=float(played["spikes_per_decision"]),
                synops_per_decision=float(played["synops_per_decision"]),
            )
        )
    return rows


def summary(experiment: Experiment, rows: Sequence[Row]) -> Summary:
    """Summarise all *rows*; a seed whose greedy figure is below the task's floor is a failure."""
    greedy = [row.greedy for row in rows]
    failed = [row.seed for row in rows if row.greedy < experiment.task.floor]
    low, high = bootstrap_interval([greedy])
    return Summary(
        experiment=experiment.name,
        seeds=len(rows),
        mean=float(np.mean(greedy)),
        min=min(greedy),
        max=max(greedy),
        iqm=float(interquartile_mean(greedy)),
        iqm_low=low,
        iqm_high=high,
        failures=len(failed),
        failed_seeds=" ".join(str(seed) for seed in failed),
    )


def curve(experiment: Experiment, plan: Plan) -> list[CurvePoint]:
    """Return mean and quartiles over seeds every 10 episodes, and at the end."""
    means = np.array(
        [
            running_mean(_returns(experiment, RunDirectory(path).read_episodes()))
            for path in (run_path(plan, experiment.name, seed) for seed in plan.seeds)
        ]
    )
    n = means.shape[1]
    points = sorted({*range(EVERY, n + 1, EVERY), n})
    lower, upper = np.quantile(means, [0.25, 0.75], axis=0)
    return [
        CurvePoint(k, float(means[:, k - 1].mean()), float(lower[k - 1]), float(upper[k - 1]))
        for k in points
    ]


def write_table(path: Path, rows: Sequence[DataclassInstance]) -> Path:
    """Write *rows*, all of one dataclass, as CSV; returns *path*. None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in dataclasses.fields(rows[0])]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    make_folder(path.parent)
    write_bytes(path, text.getvalue().encode())
    return path


def read_rows(path: Path) -> list[Row]:
    """Read the rows that `write_table` wrote. Raises RunError if the file is damaged."""
    return [
        Row(
            seed=int(line["seed"]),
            greedy=float(line["greedy"]),
            last_100=float(line["last_100"]),
            episodes_to_threshold=int(line["episodes_to_threshold"] or 0) or None,
            episodes=int(line["episodes"]),
            evaluation_episodes=int(line["evaluation_episodes"]),
            env_steps=int(line["env_steps"]),
            spikes_per_decision=float(line["spikes_per_decision"]),
            synops_per_decision=float(line["synops_per_decision"]),
        )
        for line in _lines(path, Row)
    ]


def read_curve(path: Path) -> list[CurvePoint]:
    """Read the points that `write_table` wrote. Raises RunError if the file is damaged."""
    return [
        CurvePoint(
            episode=int(line["episode"]),
            mean=float(line["mean"]),
            lower_quartile=float(line["lower_quartile"]),
            upper_quartile=float(line["upper_quartile"]),
        )
        for line in _lines(path, CurvePoint)
    ]


def read_table(path: Path, kind: type[Any]) -> list[Any]:
    """Read rows, of a dataclass of str, int, float or None, that `write_table` wrote.

    Raises RunError if the file is damaged.
    """
    convert: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
    fields = []
    for field in dataclasses.fields(kind):
        name, may_be_none, _ = str(field.type).partition(" | ")
        make = convert[name]
        fields.append((field.name, _or_none(make) if may_be_none else make))
    try:
        with path.open(newline="") as file:
            return [
                kind(**{name: make(line[name]) for name, make in fields if name in line})
                for line in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise RunError(f"table {path}", "is damaged or missing", got=exc) from exc


def _or_none(make: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: make(text) if text else None


def _lines(path: Path, kind: type[Row | CurvePoint]) -> list[dict[str, str]]:
    """Read the lines of a CSV with exactly the columns of *kind*, all numbers or empty."""
    names = [field.name for field in dataclasses.fields(kind)]
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
        sound = all(
            float(line[name] or 0) == float(line[name] or 0) for line in lines for name in names
        )
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise RunError(f"table {path}", "is damaged or missing", got=exc) from exc
    if not lines or not sound or reader.fieldnames != names:
        raise RunError(f"table {path}", "has other columns or no rows", limit=names)
    return lines


def _returns(experiment: Experiment, columns: dict[str, list[float]]) -> list[float]:
    return columns["discounted_return" if experiment.task.discounted else "return"]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return repr(round(value, 6)) if isinstance(value, float) else str(value)
