"""Print tables, reports and progress bars."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from neurorl.errors import own_warnings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

_WHOLE = 10_000
"""Let no line of a table be cut where nobody sees columns: in pipes and files."""


def report(result: Mapping[str, object], as_json: bool) -> None:
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


def print_rows(
    columns: str, rows: Sequence[Mapping[str, object]], shown: Callable[[object], str] = cell
) -> None:
    """Print rows as a table. columns: keys of a row, ``KEY: TITLE`` where it has another title."""
    named = [column.partition(": ") for column in columns.split(", ")]
    titles = tuple(title or key for key, _, title in named)
    print_table(titles, [[shown(row[key]) for key, *_ in named] for row in rows])


def print_table(columns: tuple[str, ...], rows: list[list[str]]) -> None:
    """Print rows of cells under the names of their columns."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def console() -> Console:
    """Return where results are printed: as wide as they are, unless it is a terminal.

    BrokenPipeError comes through, for `neurorl.cli.status.exit_status`.
    """
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    made = Output()
    if not made.is_terminal:
        made.width = _WHOLE
    return made


@contextmanager
def bar(label: str, /, *columns: ProgressColumn, **fields: Any) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal's stderr, our warnings above it; yield what updates its *fields*."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)

    def tell(_: type[Warning], text: str) -> None:
        line = f"neurorl: warning: {text}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    every = (TextColumn(label), BarColumn(), *columns)
    with (
        Progress(*every, console=console, disable=not console.is_terminal) as shown,
        own_warnings(tell),
    ):
        yield partial(shown.update, shown.add_task(label, **fields))


@contextmanager
def progress(
    label: str, total: int | None = None
) -> Iterator[tuple[Callable[[float, int], None], Callable[[int, int], None]]]:
    """Show a bar with return and rate; yield ``(advance, started)``."""
    from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (
        MofNCompleteColumn(),
        TextColumn("return {task.fields[mean]:.4g}"),
        TextColumn("{task.fields[rate]:.0f} env steps/s"),
        TimeRemainingColumn(),
    )
    recent: list[float] = []
    steps, begun = 0, time.monotonic()
    with bar(label, *columns, total=total, mean=0.0, rate=0.0) as update:

        def advance(ret: float, length: int) -> None:
            nonlocal steps
            recent.append(ret)
            del recent[:-100]
            steps += length
            elapsed = time.monotonic() - begun or 1e-9
            update(advance=1, mean=sum(recent) / len(recent), rate=steps / elapsed)

        yield advance, lambda done, total: update(completed=done, total=total)


@contextmanager
def steps_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for work whose parts are alike; yield ``advance(done, total)``."""
    from rich.progress import TimeRemainingColumn

    with bar(label, TimeRemainingColumn(), total=None) as update:
        yield lambda done, total: update(completed=done, total=total)
