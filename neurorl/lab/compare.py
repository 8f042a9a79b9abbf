"""Compare groups of runs, by figures with their intervals and by learning curves.

Interquartile mean and stratified bootstrap as in Agarwal et al. 2021, "Deep reinforcement learning
at the edge of the statistical precipice" (arXiv:2108.13264); their library, rliable, is not used.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, RunError, check_name
from neurorl.numerics.arrays import FloatArray
from neurorl.runs.directory import RunDirectory
from neurorl.storage.files import import_matplotlib, save_figure
from neurorl.storage.reading import JSON_BYTES, FilePlace, read_bytes
from neurorl.storage.zoo import name_of

WINDOW = 100
"""Average returns over this many episodes."""
_LEVEL, _DRAWS = 0.95, 2_000


def interquartile_mean(x: npt.ArrayLike) -> FloatArray:
    """Average over the last axis without its lowest and highest quarters.

    As `scipy.stats.trim_mean(x, 0.25)`: a quarter is rounded down.

    >>> float(interquartile_mean([0.0, 1.0, 2.0, 9.0]))
    1.5
    """
    values = np.sort(np.asarray(x, dtype=np.float64), axis=-1)
    n = values.shape[-1]
    return np.asarray(values[..., n // 4 : n - n // 4].mean(axis=-1))


def bootstrap_interval(
    strata: Sequence[npt.ArrayLike], repetitions: int = 10_000
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the interquartile mean of all *strata* together.

    strata: the runs of each task; runs are drawn again, with replacement, within their own task.
    """
    rng = np.random.default_rng(0)
    drawn = []
    for stratum in strata:
        values = np.asarray(stratum, dtype=np.float64)
        drawn.append(values[rng.integers(len(values), size=(repetitions, len(values)))])
    return _interval(interquartile_mean(np.concatenate(drawn, axis=1)))


def _interval(figures: FloatArray | list[float]) -> tuple[float, float]:
    low, high = np.quantile(figures, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def probability_of_improvement(
    first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike]
) -> float:
    """Return how probably a run of *first* scores higher than one of *second*, ties half.

    first, second: the runs of each task; the mean over tasks (Agarwal et al. 2021, section 4.3).
    """
    shares = []
    for one, other in zip(first, second, strict=True):
        difference = np.subtract.outer(np.asarray(one, float), np.asarray(other, float))
        shares.append((np.sign(difference).mean() + 1) / 2)
    return float(np.mean(shares))


def improvement_interval(
    first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike]
) -> tuple[float, float]:
    """Return the interval, as above, of `probability_of_improvement`, runs drawn within tasks."""
    rng = np.random.default_rng(0)

    def drawn(strata: Sequence[npt.ArrayLike]) -> list[FloatArray]:
        runs = [np.asarray(stratum, dtype=np.float64) for stratum in strata]
        return [values[rng.integers(len(values), size=len(values))] for values in runs]

    found = [probability_of_improvement(drawn(first), drawn(second)) for _ in range(_DRAWS)]
    return _interval(found)


def quartiles_over_steps(
    curves: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]], points: int = 200
) -> tuple[FloatArray, FloatArray]:
    """Return steps, and the quartiles there of curves of any lengths, of shape (3, points).

    curves: steps at which each run's episodes ended, rising, and their values; a value holds until
    the next. The quartiles at a step are those of the runs that have come so far, and end where
    fewer than three quarters have.
    """
    ends = np.sort([np.asarray(steps, float)[-1] for steps, _ in curves])
    begin = max(float(np.asarray(steps, float)[0]) for steps, _ in curves)
    last = ends[len(ends) // 4]
    at = np.linspace(min(begin, last), last, points)
    values = np.full((len(curves), points), np.nan)
    for row, (steps, of_run) in zip(values, curves, strict=True):
        steps, of_run = np.asarray(steps, float), np.asarray(of_run, float)
        place = np.searchsorted(steps, at, side="right") - 1
        there = (place >= 0) & (at <= steps[-1])
        row[there] = of_run[place[there]]
    return at, np.asarray(np.nanquantile(values, [0.25, 0.5, 0.75], axis=0))


def running_mean(returns: npt.ArrayLike, window: int = WINDOW) -> FloatArray:
    """Average each place with the *window* - 1 before it; with fewer at the start."""
    x = np.asarray(returns, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(x)])
    end = np.arange(1, len(x) + 1)
    first = np.maximum(end - window, 0)
    return np.asarray((total[end] - total[first]) / (end - first))


Scores = Mapping[str, Sequence[float]]
"""Map each task to the score of each of its runs."""


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
        returns = run.read_episodes()["return"][-WINDOW:]
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
    score = score or ("greedy_return" if "greedy_return" in columns else "mean_return_last_100")
    if by and f"set.{by}" in columns:
        by = f"set.{by}"  # the column's name of such a field
    for name in (score, *([by] if by else [])):
        check_name(f"table {path}, column", name, columns)
    groups: dict[str, dict[str, list[float]]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            value = float(row[score])
        except (TypeError, ValueError) as exc:
            raise place.wrong(f"has no number in line {number}", got=row[score]) from exc
        if not math.isfinite(value):
            raise place.wrong(f"has no finite number in line {number}", got=row[score])
        group = groups.setdefault(f"{by}={row[by]}" if by else str(path), {})
        group.setdefault(row.get("env") or "", []).append(value)
    return groups


_WINDOW = 20


def plot_runs(runs: Sequence[Path], out: Path, optimum: float | None = None) -> Path:
    """Draw the returns of *runs* to *out* (png, svg or pdf); returns *out*.

    A run is drawn over episodes: each one faint, the mean of the last 20 solid. If *runs* has a
    folder of runs, all are drawn over environment steps, and a folder as the median of its runs
    with a band from their lower to their upper quartile, see
    `neurorl.lab.compare.quartiles_over_steps`. Tasks whose reward comes only at the end
    (all returns equal) are shown by discounted return. optimum: drawn as a dashed line.
    Raises RunError for a run without episodes, ArgumentError for an unknown kind of file.
    """
    import_matplotlib()
    from matplotlib.figure import Figure  # needs no display: nothing here opens a window

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    groups = [[_Curve.read(run) for run in runs_in(path)] for path in runs]
    over_steps = any(len(group) > 1 for group in groups)
    for path, group in zip(runs, groups, strict=True):
        if over_steps:
            steps, quartiles = quartiles_over_steps([(c.steps, c.smooth) for c in group])
            label = f"{_plain(str(path))}, {len(group)} seeds" if len(group) > 1 else group[0].label
            (line,) = axes.plot(steps, quartiles[1], linewidth=1.8, label=label)
            axes.fill_between(steps, quartiles[0], quartiles[2], alpha=0.25, color=line.get_color())
        else:
            (line,) = axes.plot(group[0].smooth, linewidth=1.8, label=group[0].label)
            axes.plot(group[0].returns, ".", markersize=2.5, alpha=0.3, color=line.get_color())
    if optimum is not None:
        axes.axhline(optimum, linestyle="--", linewidth=1, color="0.4", label="optimum")
    every = [curve for group in groups for curve in group]
    axes.set_xlabel("environment steps" if over_steps else "episode")
    axes.set_ylabel(" / ".join(sorted({curve.kind for curve in every})))
    axes.set_title(", ".join(sorted({curve.env for curve in every})))
    axes.legend(fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        save_figure(figure, out, dpi=150)
    except RunError as exc:
        raise ArgumentError(str(exc)) from exc
    except ValueError as exc:
        raise ArgumentError(f"plot {out}", "unknown kind of picture", got=exc) from exc
    return out


@dataclass(frozen=True)
class _Curve:
    """Hold a run's returns, the steps at which its episodes ended, and its label."""

    returns: FloatArray
    steps: FloatArray
    kind: str
    env: str
    label: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a run. Raises ArgumentError if it has no episodes."""
        run = RunDirectory(path)
        config, columns = run.read_config(), run.read_episodes()
        is_discounted = bool((config.agent or {}).get("solved_discounted"))
        returns = np.array(columns["discounted_return" if is_discounted else "return"])
        if len(returns) == 0:
            raise ArgumentError(f"run {path}", "has no episodes yet")
        kind = "discounted return" if is_discounted else "return"
        label = _plain(f"{config.model or 'lif'}, {config.backend}, seed {config.seed}")
        return cls(returns, np.array(columns["env_steps"]), kind, _plain(config.env), label)

    @property
    def smooth(self) -> FloatArray:
        """Return the mean of the last 20 episodes at each episode."""
        return running_mean(self.returns, _WINDOW)


def _plain(text: str) -> str:
    """Return *text* so that it is shown as text, not as a formula, cut to the available room."""
    return text[:80].replace("$", r"\$")
