"""Print tables, reports and progress bars."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from neurorl.errors import EnvironmentWarning, FallbackWarning, PopulationWarning

if TYPE_CHECKING:
    from rich.console import Console

    from neurorl.agents.replicas import Episode


def report(result: Mapping[str, Any], as_json: bool) -> None:
    """Print a line for each key, or one JSON object."""
    if as_json:
        print(json.dumps(dict(result)))
        return
    width = max(len(key) for key in result)
    for key, value in result.items():
        print(f"{key:<{width}}  {cell(value)}")


def cell(value: object) -> str:
    """Return a value for a reader: yes, no, four digits, or ``-`` for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "-" if value is None else str(value)


def show(line: str) -> None:
    """Print a result at once: long work is followed through pipes and files too."""
    print(line, flush=True)


def print_table(columns: tuple[str, ...], rows: list[list[str]]) -> None:
    """Print rows of cells under the names of their columns."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


_OWN = (PopulationWarning, FallbackWarning, EnvironmentWarning)


@contextmanager
def _warnings_on(console: Console) -> Iterator[None]:
    """Print our own warnings as lines of their own, above a bar that is shown there."""
    others = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **options: Any) -> None:
        if not issubclass(category, _OWN):
            others(message, category, *where, **options)
            return
        line = f"neurorl: warning: {message}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with warnings.catch_warnings():
        for own in _OWN:
            warnings.simplefilter("always", own)
        warnings.showwarning = show
        yield


@contextmanager
def progress(
    label: str, total: int | None = None
) -> Iterator[tuple[Callable[[float, int], None], Callable[[int, int], None]]]:
    """Show a bar on a terminal's stderr with return and rate; yield ``(advance, started)``."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    recent: list[float] = []
    steps = 0
    with (
        Progress(
            TextColumn(label),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("return {task.fields[mean]:.4g}"),
            TextColumn("{task.fields[rate]:.0f} env steps/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bar,
        _warnings_on(console),
    ):
        task = bar.add_task(label, total=total, mean=0.0, rate=0.0)

        def advance(ret: float, length: int) -> None:
            nonlocal steps
            recent.append(ret)
            del recent[:-100]
            steps += length
            elapsed = bar.tasks[0].elapsed or 1e-9
            bar.update(task, advance=1, mean=sum(recent) / len(recent), rate=steps / elapsed)

        def started(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance, started


@contextmanager
def training_progress() -> Iterator[Callable[[str, int], Callable[[Episode], None]]]:
    """Show the same for each experiment: ``begin(name, episodes)`` gives its callback."""
    with progress("training") as (advance, started):

        def begin(_name: str, episodes: int) -> Callable[[Episode], None]:
            started(0, episodes)
            return lambda e: advance(e.ret, e.length)

        yield begin


@contextmanager
def steps_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for work whose parts are alike; yield ``advance(done, total)``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        _warnings_on(console),
    ):
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
