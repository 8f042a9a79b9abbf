"""Train all settings of a sweep, each with all its seeds, and say how far it has come."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from neurorl.cli.options import command, look_here
from neurorl.cli.output import cell, console, print_table, steps_progress
from neurorl.cli.status import GOES_ON, goes_on
from neurorl.errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console

    from neurorl.lab.status import SweepStatus
    from neurorl.lab.sweeping import Outcome

_STATES = ("done", "running", "stopped", "failed", "waiting")


@command("""
train tasks x agents x parameters x seeds, and make one table

file FILE path         TOML or YAML; see docs/sweeps.md
--out DIR path         its folder (default: runs/NAME of the file)
--jobs N int =1        processes that share the settings
--scheduler ADDRESS    of a Dask cluster, such as tcp://host:8786, in place of --jobs
--cluster SYSTEM:FILE  jobs of a batch system, such as slurm:jobs.yaml, in place of --jobs
--json                 print one JSON object
""")
def train_sweep(arguments: argparse.Namespace) -> int:
    from neurorl.lab.search import Search, read_sweep
    from neurorl.lab.sweeping import run_search, run_sweep

    look_here()
    others = (arguments.scheduler is not None) + (arguments.cluster is not None)
    if others + (arguments.jobs != 1) > 1:
        raise ArgumentError("sweep", "takes one of --jobs, --scheduler and --cluster")
    sweep = read_sweep(arguments.file)
    out = arguments.out or Path("runs") / arguments.file.stem
    done, total = 0, sweep.trials if isinstance(sweep, Search) else len(sweep.units)
    again = goes_on(out.rglob("checkpoint.npz"), GOES_ON)
    with again, _executor(arguments, out) as executor, steps_progress("sweep") as advance:

        def after(_: object) -> None:
            nonlocal done
            done += 1
            advance(done, total)

        advance(0, total)
        if isinstance(sweep, Search):
            outcome = run_search(sweep, out, jobs=arguments.jobs, executor=executor, callback=after)
        else:
            outcome = run_sweep(sweep, out, jobs=arguments.jobs, executor=executor, callback=after)
    if arguments.json:
        print(json.dumps({"rows": outcome.rows, "failed": outcome.failed, "out": str(out)}))
        return 1 if outcome.failed else 0
    _print(sweep.axes, outcome)
    print(f"{out / 'table.csv'}: {len(outcome.rows)} rows")
    for problem in outcome.failed.values():
        print(f"failed: {problem}")
    return 1 if outcome.failed else 0


def _print(axes: Sequence[str], outcome: Outcome) -> None:
    """Print a line for each setting: what varies, and the mean and the worst of its seeds."""
    varied = [name for name in axes if len({str(row[name]) for row in outcome.rows}) > 1]
    by_setting: dict[tuple[str, ...], list[float | None]] = {}
    for row in outcome.rows:
        figure = row.get("greedy_return", row["mean_return_last_100"])
        by_setting.setdefault(tuple(str(row[name]) for name in varied), []).append(figure)
    lines = []
    for setting, figures in by_setting.items():
        known = [figure for figure in figures if figure is not None]
        mean = sum(known) / len(known) if known else None
        lines.append([*setting, str(len(figures)), cell(mean), cell(min(known, default=None))])
    print_table((*varied, "seeds", "mean return", "worst"), lines)


def _executor(arguments: argparse.Namespace, out: Path) -> AbstractContextManager[Executor | None]:
    """Return what runs the units, if not processes of this machine."""
    from neurorl.lab.clusters import batch_system, scheduler_at

    if arguments.cluster is not None:
        return batch_system(arguments.cluster, out / "jobs")
    return nullcontext() if arguments.scheduler is None else scheduler_at(arguments.scheduler)


@command("""
say how far a sweep has come: done, running, failed, and how long the rest takes

sweep SWEEP path       the folder of neurorl sweep
--page FILE path       write it as a page of HTML that loads anew
--every S float        again every S seconds, until all is over
--json                 print one JSON object
""")
def tell_status(arguments: argparse.Namespace) -> int:
    from neurorl.lab.status import sweep_status

    every: float | None = arguments.every
    if every is not None and not every > 0.0:
        raise ArgumentError("status, --every", "is out of range", got=every, limit="above 0")
    while True:
        status = sweep_status(arguments.sweep)
        _tell(status, arguments)
        if every is None or status.is_over:
            return 1 if status.count("failed") else 0
        time.sleep(every)


def _tell(status: SweepStatus, arguments: argparse.Namespace) -> None:
    counts = {state: status.count(state) for state in _STATES}
    if arguments.json:
        units = [dataclasses.asdict(unit) for unit in status.units]
        print(json.dumps({**counts, "seconds_left": status.seconds_left, "units": units}))
    else:
        _draw(console(), status, counts)
    if arguments.page is not None:
        _write_page(arguments.page, status, counts, arguments.every)


def _draw(to: Console, status: SweepStatus, counts: dict[str, int]) -> None:
    """Print a bar, the counts, and a line for each unit that is neither done nor waiting."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    share = sum(unit.share for unit in status.units) / max(status.total, 1)
    to.print(ProgressBar(total=1.0, completed=share, width=40))
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    left = status.seconds_left
    to.print(f"{said}; {'' if left is None else f'{_duration(left)} left, '}{share:.0%}")
    table = Table(box=None, pad_edge=False)
    for name in ("unit", "state", "done", "setting"):
        table.add_column(name)
    for unit in status.units:
        if unit.state in ("running", "stopped", "failed"):
            setting = ", ".join(f"{name} {value}" for name, value in unit.values.items())
            table.add_row(unit.name, unit.state, f"{unit.share:.0%}", unit.problem or setting)
    if table.rows:
        to.print(table)


def _write_page(
    file: Path, status: SweepStatus, counts: dict[str, int], every: float | None
) -> None:
    import io

    from rich.console import Console

    from neurorl.storage.files import write_bytes

    console = Console(record=True, file=io.StringIO(), width=120)
    _draw(console, status, counts)
    page = console.export_html()
    again = f'<meta http-equiv="refresh" content="{max(1, round(every or 30))}">'
    write_bytes(file, page.replace("<head>", f"<head>\n{again}", 1).encode())


def _duration(seconds: float) -> str:
    """Return a duration in hours, minutes or seconds."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
