"""All tables and figures of learning: results/*.csv, docs/learning.md and docs/learning.png.

    python scripts/reproduce.py [--only gridworld,cartpole-lif] [--seeds 0..19] [--quick]

Runs stay in --out: what is complete there isn't run again, what was killed goes on. REPRODUCING.md
maps each table to its command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurorl.errors import ArgumentError, NeurorlError, say
from neurorl.reproduce.command import Places, reproduce
from neurorl.reproduce.experiments import SEEDS, chosen
from neurorl.reproduce.run import Plan
from neurorl.training import read_seeds

Begin = Callable[[str, int], Callable[[Any], None]]

QUICK_EPISODES = 3
QUICK_EVALUATION = 2


def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    options = parser().parse_args(arguments)
    try:
        experiments = chosen(options.only.split(",") if options.only else None)
        experiments = () if options.page else experiments
        with progress() as begin:
            for path in reproduce(experiments, plan(options), places(options), begin, show):
                show(str(path))
    except NeurorlError as exc:
        print(f"reproduce: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("reproduce: stopped; goes on from here when it is started again", file=sys.stderr)
        return 130
    return 0


def parser(description: str | None = __doc__) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--only", metavar="NAMES", help="experiments or tasks, with commas")
    found.add_argument("--page", action="store_true", help="the page of what is in --results")
    found.add_argument("--seeds", metavar="N..M", help="default 0..19")
    found.add_argument("--episodes", type=int, metavar="N", help="instead of each one's own number")
    found.add_argument("--out", type=Path, metavar="DIR", help="runs (default runs/reproduce)")
    found.add_argument("--results", type=Path, metavar="DIR", help="CSV (default results)")
    found.add_argument("--docs", type=Path, metavar="DIR", help="page and figure (default docs)")
    found.add_argument(
        "--quick",
        action="store_true",
        help="2 seeds, 3 episodes, reference backend; all files in runs/reproduce-quick",
    )
    return found


def plan(options: argparse.Namespace) -> Plan:
    if options.episodes is not None and options.episodes < 1:
        raise ArgumentError(say("--episodes", "out of range", got=options.episodes, limit=">= 1"))
    default = SEEDS[:2] if options.quick else SEEDS
    return Plan(
        out=out(options),
        seeds=tuple(read_seeds(options.seeds)) if options.seeds else default,
        episodes=options.episodes or (QUICK_EPISODES if options.quick else None),
        backend="reference" if options.quick else None,
        evaluation_episodes=QUICK_EVALUATION if options.quick else None,
    )


def out(options: argparse.Namespace) -> Path:
    name = "reproduce-quick" if options.quick else "reproduce"
    return Path(options.out or Path("runs") / name)


def places(options: argparse.Namespace) -> Places:
    command = "python scripts/reproduce.py" + " --quick" * options.quick
    command += f" --seeds {options.seeds}" if options.seeds else ""
    command += f" --episodes {options.episodes}" if options.episodes else ""
    base = out(options) if options.quick else Path()
    return Places(options.results or base / "results", options.docs or base / "docs", command)


def show(line: str) -> None:
    print(line, flush=True)


@contextmanager
def progress() -> Iterator[Begin]:
    """A bar on a terminal's stderr: ``begin(name, episodes)`` gives what to call after each."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:

        def begin(name: str, episodes: int) -> Callable[[Any], None]:
            task = bar.add_task(name, total=episodes)
            return lambda _: bar.update(task, advance=1)

        yield begin


if __name__ == "__main__":
    raise SystemExit(main())
