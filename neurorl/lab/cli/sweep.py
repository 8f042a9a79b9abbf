"""Train all settings of a sweep, each with all its seeds (``neurorl sweep``)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from neurorl.cli.options import added, look_here
from neurorl.cli.output import cell, print_table, steps_progress
from neurorl.cli.status import GOES_ON, goes_on

if TYPE_CHECKING:
    from neurorl.lab.sweeping import Outcome

HELP = "train tasks x agents x parameters x seeds, and make one table"


add_arguments = added("""
file FILE path         TOML or YAML; see docs/sweeps.md
--out DIR path         its folder (default: runs/NAME of the file)
--jobs N int =1        processes that share the settings
--scheduler ADDRESS    of a Dask cluster, such as tcp://host:8786, in place of --jobs
--cluster SYSTEM:FILE  jobs of a batch system, such as slurm:jobs.yaml, in place of --jobs
--json                 print one JSON object
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.errors import ArgumentError
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
