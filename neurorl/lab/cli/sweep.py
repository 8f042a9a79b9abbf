"""Train all settings of a sweep, each with all its seeds (``neurorl sweep``)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neurorl.cli.options import look_here, path
from neurorl.cli.output import cell, print_table, steps_progress

if TYPE_CHECKING:
    from neurorl.lab.sweeping import Outcome

HELP = "train tasks x agents x parameters x seeds, and make one table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=path, metavar="FILE", help="TOML or YAML; see docs/sweeps.md")
    parser.add_argument(
        "--out", type=path, metavar="DIR", help="its folder (default: runs/NAME of the file)"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes that share the settings"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, such as tcp://host:8786, in place of --jobs",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from neurorl.errors import ArgumentError
    from neurorl.lab.search import Search, read_sweep
    from neurorl.lab.sweeping import run_search, run_sweep

    look_here()
    if arguments.scheduler is not None and arguments.jobs != 1:
        raise ArgumentError("sweep", "takes --jobs or --scheduler, not both")
    sweep = read_sweep(arguments.file)
    out = arguments.out or Path("runs") / arguments.file.stem
    done, total = 0, sweep.trials if isinstance(sweep, Search) else len(sweep.units)
    with _executor(arguments.scheduler) as executor, steps_progress("sweep") as advance:

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


@contextmanager
def _executor(scheduler: str | None) -> Iterator[Executor | None]:
    """Connect with a Dask cluster. Raises UnsupportedError without Dask, RunError without it."""
    if scheduler is None:
        yield None
        return
    from neurorl.errors import RunError, UnsupportedError

    try:
        from distributed import Client
    except ImportError as exc:
        remedy = "pip install 'neurorl[sweep]'"
        raise UnsupportedError("--scheduler", "needs Dask", remedy=remedy) from exc
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as exc:
        where, remedy = f"scheduler {scheduler}", "start it by 'dask scheduler'"
        raise RunError(where, "doesn't answer", got=exc, remedy=remedy) from exc
    with client:
        yield client.get_executor(pure=False, retries=3)
