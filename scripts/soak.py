"""Train for a million steps at constant memory, file handles, temporary files and threads.

    python scripts/soak.py [--backends native,loihi,torch] [--steps N] [--out DIR] [--docs DIR]

Trains CartPole-v1 with checkpoints on each backend, and looks at the process after 10, 50 and
100 % of the steps: 1,000,000 on native, 300,000 on loihi, 100,000 on torch, or --steps on each.
Writes results/soak.csv and the table of docs/soak.md. Exit status 1 if something has grown from
the first look to the last: memory by more than 4 MiB beyond the records of the episodes, which are
kept on purpose, or anything else by one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.soak import BOUND_MIB, STEPS, Look, growth, problems, soak
from experiments.markup import put_between, table_head, table_row
from experiments.tables import read_table, write_table
from neurorl.cli.status import exit_status
from neurorl.errors import unknown_name_error
from neurorl.network.serialization import positive

COLUMNS = ["backend", "env steps", "episodes", "RSS, MiB", "records, MiB"]
COLUMNS += ["file handles", "temporary files", "threads"]


@exit_status("soak")
def main(arguments: list[str] | None = None) -> int:
    """Train, print the table, write it, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", default=",".join(STEPS), metavar="A,B")
    parser.add_argument("--steps", type=int, metavar="N", help="on each, instead of its own number")
    parser.add_argument("--out", type=Path, metavar="DIR", help="of soak.csv (default results)")
    parser.add_argument(
        "--docs", type=Path, metavar="DIR", help="of soak.md, unless --out is given"
    )
    parser.add_argument("--bound", type=float, default=BOUND_MIB, metavar="MIB")
    options = parser.parse_args(arguments)
    if options.steps is not None:
        positive("--steps", options.steps)
    known = [*STEPS, "reference"]
    by_backend: list[list[Look]] = []
    for name in options.backends.split(","):
        if name not in known:
            raise unknown_name_error("backend to soak", name, known)
        by_backend.append(soak(name, options.steps or STEPS.get(name, 100_000)))
    show(by_backend)
    folder = options.out or Path("results")
    file = write_table(folder / "soak.csv", [look for looks in by_backend for look in looks])
    print(file)
    docs = options.docs or (None if options.out else Path("docs"))
    if docs is not None:
        print(write_page(file, docs / "soak.md"))
    grown = [line for looks in by_backend for line in problems(looks, options.bound)]
    for line in grown:
        print(f"grows: {line}")
    return 1 if grown else 0


def cells(look: Look) -> list[str]:
    """Format a look as text, in the order of the columns."""
    numbers = [f"{look.steps:,}", f"{look.episodes:,}", f"{look.rss_mib:.1f}"]
    others = [str(look.file_handles), str(look.temp_files), str(look.threads)]
    return [look.backend, *numbers, f"{look.records_mib:.2f}", *others]


def sentence(looks: list[Look]) -> str:
    """Say by what a backend's process grows."""
    with_, without = (growth(looks, with_records=kept) for kept in (True, False))
    return f"{looks[0].backend}: {with_:.3f} MiB per 100,000 steps, {without:.3f} without records"


def show(by_backend: list[list[Look]]) -> None:
    """Print a row for each look, and for each backend what it grows by."""
    console = Console()
    if not console.is_terminal:
        console.width = 140
    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "backend" else "right")
    for look in (look for looks in by_backend for look in looks):
        table.add_row(*cells(look))
    console.print(table)
    for looks in by_backend:
        console.print(sentence(looks), highlight=False)


def write_page(file: Path, page: Path) -> Path:
    """Put the table of *file* between the marks of *page*."""
    looks: list[Look] = read_table(file, Look)
    backends = dict.fromkeys(look.backend for look in looks)
    lines = [*table_head(COLUMNS), *(table_row(*cells(look)) for look in looks), ""]
    lines += [f"- {sentence([x for x in looks if x.backend == name])}" for name in backends]
    put_between(page, "soak", lines)
    return page


if __name__ == "__main__":
    raise SystemExit(main())
