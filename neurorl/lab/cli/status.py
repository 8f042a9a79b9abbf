"""Say how far a sweep has come (``neurorl status``)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from neurorl.cli.options import added
from neurorl.cli.output import console

if TYPE_CHECKING:
    from rich.console import Console

    from neurorl.lab.status import SweepStatus

HELP = "say how far a sweep has come: done, running, failed, and how long the rest takes"
_STATES = ("done", "running", "stopped", "failed", "waiting")


add_arguments = added("""
sweep SWEEP path       the folder of neurorl sweep
--page FILE path       write it as a page of HTML that loads anew
--every S float        again every S seconds, until all is over
--json                 print one JSON object
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.errors import ArgumentError
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
