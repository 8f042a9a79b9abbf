"""Run ``neurorl bench``: check arguments, show progress, print a table or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from neurorl.backends.plugins import installed_version
from neurorl.backends.registry import BACKENDS
from neurorl.bench.candidates import backends
from neurorl.bench.measure import Plan, Report, measure, processor
from neurorl.bench.workload import SIZES, get_size
from neurorl.cli.output import bar
from neurorl.errors import ArgumentError, BackendError

COLUMNS = {
    "backend": "backend",
    "engine": "engine",
    "arithmetic": "arithmetic",
    "env_steps_per_s": "env steps/s",
    "us_per_step": "us/env step",
    "ratio_to_floor": "of the quicker floor's rate (min-max)",
    "start_s": "start s",
    "start_cold_s": "cold start s",
    "peak_mb": "peak MiB",
}
"""Map each key of a row to its heading; ``rows`` in `neurorl.bench.measure` explains them."""


def bench(options: argparse.Namespace) -> int:
    """Measure and print what the command line says; return the exit status 0.

    Raises NeurorlError for bad options, and BackendError, when all else has been printed, if
    something that was asked for couldn't be measured.
    """
    plan = make_plan(options)
    with progress(plan.children) as advance:
        report = measure(plan, advance)
    if options.json:
        print(json.dumps({"cpu": processor(), "rows": report.rows, "notes": report.notes}))
    else:
        _show(report)
    wanted = _wanted(options)
    lacking = [f"{c.label}: {why}" for c, why in report.failed.items() if c.spec.backend in wanted]
    if lacking:
        what, remedy = "couldn't be measured", "see neurorl doctor, or leave it out"
        raise BackendError("bench", what, got="; ".join(lacking), remedy=remedy)
    return 0


def _wanted(options: argparse.Namespace) -> set[str]:
    """Return the backends that must be measured: named by the user, or else all installed."""
    named = set(_names(options.backends) or ())
    if options.backends is None:
        named |= {name for name, info in BACKENDS.items() if installed_version(info.distribution)}
    return {name.partition(":")[0] for name in named}


def make_plan(options: argparse.Namespace) -> Plan:
    """Return the plan for checked options; raises NeurorlError for bad ones."""
    sizes = tuple(SIZES) if options.size is None else (get_size(options.size).name,)
    _check("--replicas", options.replicas, 1)
    _check("--rounds", options.rounds, 1)
    _check("--seconds", options.seconds, 0.01)
    candidates = backends(_names(options.backends), options.arithmetic)
    replicas, rounds = (options.replicas,), options.rounds
    return Plan(candidates, sizes, replicas, rounds, options.seconds, options.cold)


def cells(row: dict[str, Any]) -> list[str]:
    """Format a row as text, in the order of `COLUMNS`."""
    texts = []
    for key in COLUMNS:
        value = row[key]
        if value is None:
            texts.append("-")
        elif key == "ratio_to_floor":
            low, high = row["ratio_min"], row["ratio_max"]
            spread = "" if low == high else f" ({low:.3g}-{high:.3g})"
            texts.append(f"{value:.3g}{spread}")
        elif isinstance(value, float):
            texts.append(f"{value:.0f}" if value >= 1000 else f"{value:.3g}")
        else:
            texts.append(str(value))
    return texts


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on a terminal's stderr; yield a function to call with each measured name."""
    from rich.progress import MofNCompleteColumn, TextColumn

    columns = MofNCompleteColumn(), TextColumn("{task.fields[label]}")
    with bar("measuring", *columns, total=total, label="") as update:
        yield lambda label: update(advance=1, label=label)


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"cpu: {processor()}", markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 140
    for size, replicas in dict.fromkeys((r["size"], r["replicas"]) for r in report.rows):
        rows = [r for r in report.rows if (r["size"], r["replicas"]) == (size, replicas)]
        title = f"{size}, {replicas} replica{'s' if replicas > 1 else ''}"
        table = Table(box=None, pad_edge=False, title=title, title_justify="left")
        for heading in COLUMNS.values():
            table.add_column(heading)
        for row in sorted(rows, key=lambda r: -float(r["env_steps_per_s"])):
            table.add_row(*cells(row))
        console.print(table)
    for note in report.notes:
        console.print(f"note: {note}", markup=False, highlight=False)


def _names(text: str | None) -> Sequence[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _check(option: str, value: float, least: float) -> None:
    if not least <= value < 1e6:
        raise ArgumentError(option, "out of range", got=value, limit=f">= {least:g}")
