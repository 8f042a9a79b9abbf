"""Run everything, one experiment after the other: runs, tables, curves, page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.catalogue import CHECKS, EXPERIMENTS, Check, Experiment
from experiments.checks import CheckRow, merge, read_checks, write_checks
from experiments.curves import draw
from experiments.page import markdown
from experiments.run import Plan, check, run
from experiments.tables import Summary, curve, read_rows, rows_of, summary, write_table
from neurorl.agents.episodes import Episode
from neurorl.storage.files import write_bytes


@dataclass(frozen=True)
class Places:
    """Say where CSV and the page go; command: what the page says made it."""

    results: Path
    docs: Path
    command: str


def reproduce(
    experiments: Sequence[Experiment],
    plan: Plan,
    places: Places,
    begin: Callable[[str, int], Callable[[Episode], None]],
    say_line: Callable[[str], None],
) -> list[Path]:
    """Run *experiments* and the checks on them, and write all tables; returns page and figure.

    begin: called with a name and a number of episodes before each, returns what is called after
    each episode. say_line: called with each line of results.
    """
    for experiment in experiments:
        total = plan.episodes_of(experiment) * len(plan.seeds)
        done = _tabulate(experiment, plan, places.results, begin(experiment.name, total))
        say_line(summary_line(experiment, done))
        for asked in (c for c in CHECKS if c.experiment is experiment):
            row = _check(
                asked, plan, places.results, begin(asked.name, plan.episodes_of(experiment))
            )
            say_line(
                f"{asked.name}: same episodes as seed {row.seed} of {experiment.name}: {row.same}"
            )
    return write_page(places)


def write_page(places: Places) -> list[Path]:
    """Write summary, figure and page from the CSV that is there; return page and figure."""
    summaries = []
    for experiment in EXPERIMENTS:
        file = places.results / f"{experiment.name}.csv"
        if file.exists():
            summaries.append(summary(experiment, read_rows(file)))
    if summaries:
        write_table(places.results / "summary.csv", summaries)
    figure = draw(places.results, places.docs / "learning.png")
    page = places.docs / "learning.md"
    write_bytes(page, markdown(places.results, places.command).encode())
    return [page, figure]


def summary_line(experiment: Experiment, figures: Summary) -> str:
    """Format an experiment's figures in one line."""
    digits = experiment.task.digits
    numbers = [
        f"{x:.{digits}f}"
        for x in (
            figures.mean,
            figures.min,
            figures.max,
            figures.iqm,
            figures.iqm_low,
            figures.iqm_high,
        )
    ]
    mean, low, high, iqm, iqm_low, iqm_high = numbers
    failed = f"{figures.failures} below {experiment.task.floor:g}"
    failed += f" (seeds {figures.failed_seeds})" * bool(figures.failures)
    return (
        f"{experiment.name}: mean {mean}, {low} to {high}, "
        f"IQM {iqm} [{iqm_low}, {iqm_high}], {figures.seeds} seeds, {failed}"
    )


def _tabulate(
    experiment: Experiment, plan: Plan, results: Path, callback: Callable[[Episode], None]
) -> Summary:
    rows = rows_of(experiment, plan, run(experiment, plan, callback))
    write_table(results / f"{experiment.name}.csv", rows)
    write_table(results / "curves" / f"{experiment.name}.csv", curve(experiment, plan))
    return summary(experiment, rows)


def _check(
    asked: Check, plan: Plan, results: Path, callback: Callable[[Episode], None]
) -> CheckRow:
    same = "yes" if check(asked, plan, callback) else "no"
    episodes = plan.episodes_of(asked.experiment)
    row = CheckRow(asked.experiment.name, asked.backend, plan.seeds[0], episodes, same)
    path = results / "checks.csv"
    write_checks(path, merge(read_checks(path), row))
    return row
