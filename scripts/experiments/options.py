"""Parse the options that the scripts of experiments share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.catalogue import SEEDS
from experiments.command import Places
from experiments.run import Plan
from neurorl.agents.episodes import Episode
from neurorl.cli.output import progress
from neurorl.errors import ArgumentError
from neurorl.runs.training import read_seeds

QUICK_SEEDS = SEEDS[:2]
QUICK_EPISODES = 3
QUICK_EVALUATION = 2


def experiment_parser(
    description: str | None, runs: str, only: str = "experiments or tasks"
) -> argparse.ArgumentParser:
    """Return a parser with the options of all of them.

    runs: where runs are by default, ``runs/RUNS``. only: what ``--only`` names.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(runs=runs, jobs=1)
    parser.add_argument("--only", metavar="NAMES", help=f"{only}, with commas")
    parser.add_argument("--page", action="store_true", help="the page of what is in --results")
    parser.add_argument("--seeds", metavar="N..M", help="default 0..19")
    parser.add_argument(
        "--episodes", type=int, metavar="N", help="instead of each one's own number"
    )
    parser.add_argument(
        "--evaluation-episodes", type=int, metavar="N", help="instead of each task's own number"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"runs (default runs/{runs})")
    parser.add_argument("--results", type=Path, metavar="DIR", help="CSV (default results)")
    parser.add_argument("--docs", type=Path, metavar="DIR", help="page, figures (default docs)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"2 seeds, 3 episodes, reference backend; all files in runs/{runs}-quick",
    )
    return parser


def names_of(options: argparse.Namespace) -> list[str] | None:
    """Return the names in ``--only``; None for all."""
    return options.only.split(",") if options.only else None


def plan_of(options: argparse.Namespace) -> Plan:
    """Return seeds, episodes and folder. Raises ArgumentError."""
    for name in ("episodes", "evaluation_episodes", "jobs"):
        got = getattr(options, name)
        if got is not None and got < 1:
            option = f"--{name.replace('_', '-')}"
            raise ArgumentError(option, "out of range", got=got, limit=">= 1")
    quick = options.quick
    default = QUICK_SEEDS if quick else SEEDS
    return Plan(
        out=out_of(options),
        seeds=tuple(read_seeds(options.seeds)) if options.seeds else default,
        episodes=options.episodes or (QUICK_EPISODES if quick else None),
        backend="reference" if quick else None,
        evaluation_episodes=options.evaluation_episodes or (QUICK_EVALUATION if quick else None),
        jobs=options.jobs,
    )


def out_of(options: argparse.Namespace) -> Path:
    """Return where runs are."""
    return Path(options.out or Path("runs") / f"{options.runs}{'-quick' * options.quick}")


def results_of(options: argparse.Namespace) -> Path:
    """Return where tables are; those of ``--quick`` are kept with its runs."""
    return Path(options.results or _base(options) / "results")


def docs_of(options: argparse.Namespace) -> Path:
    """Return where pages are; those of ``--quick`` are kept with its runs."""
    return Path(options.docs or _base(options) / "docs")


def places_of(options: argparse.Namespace, command: str) -> Places:
    """Return where tables and a page go, with the *command* that the page says made it."""
    command += " --quick" * options.quick
    for name in ("seeds", "episodes"):
        if getattr(options, name):
            command += f" --{name} {getattr(options, name)}"
    return Places(results_of(options), docs_of(options), command)


def _base(options: argparse.Namespace) -> Path:
    return out_of(options) if options.quick else Path()


@contextmanager
def training_progress() -> Iterator[Callable[[str, int], Callable[[Episode], None]]]:
    """Show a bar for each experiment: ``begin(name, episodes)`` gives its callback."""
    with progress("training") as (advance, started):

        def begin(_name: str, episodes: int) -> Callable[[Episode], None]:
            started(0, episodes)
            return lambda e: advance(e.ret, e.length)

        yield begin
