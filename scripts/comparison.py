"""Local rules against gradients on the same networks: results/comparison/*.csv, docs/comparison.md.

    python scripts/comparison.py [--only efficiency,cost,robustness,gradients] [--seeds 0..19]

Takes the runs of scripts/reproduce.py and scripts/reparameterization.py, and makes those that
aren't there. What is complete isn't run again, what was killed goes on. ``--page`` only makes the
tables and figures of what is in --results. Needs ``pip install 'neurorl[torch]'``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from neurorl.cli.output import training_progress
from neurorl.errors import NeurorlError, unknown
from neurorl.replicas import Episode
from neurorl.reproduce.comparison.command import PARTS, Comparison, run_parts, write_page
from neurorl.reproduce.comparison.quality import Amount
from neurorl.reproduce.comparison.sources import Sources
from neurorl.reproduce.experiments import SEEDS, TASKS, Task
from neurorl.reproduce.run import Plan
from neurorl.training import read_seeds

QUICK_AMOUNT = Amount(states=4, played=20, size=8, parts=3)
QUICK_PERTURBATIONS = ("none", "lesion-90")


def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each result."""
    options = parser().parse_args(arguments)
    try:
        parts = options.only.split(",") if options.only else list(PARTS)
        for part in parts:
            if part not in PARTS:
                raise unknown("part", part, PARTS)
        with training_progress() as begin:
            the = comparison(options, begin)
            if not options.page:
                run_parts(the, parts)
        for path in write_page(the.results, the.docs):
            print(path)
    except NeurorlError as exc:
        print(f"comparison: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("comparison: stopped; goes on from here when it is started again", file=sys.stderr)
        return 130
    return 0


def comparison(
    options: argparse.Namespace, begin: Callable[[str, int], Callable[[Episode], None]]
) -> Comparison:
    """What these options ask for; with --quick in small, and all of its files in one folder."""
    quick = options.quick
    out = options.out or Path("runs") / ("comparison-quick" if quick else "comparison")
    default = SEEDS[:2] if quick else SEEDS
    plan = Plan(
        out=out,
        seeds=tuple(read_seeds(options.seeds)) if options.seeds else default,
        episodes=3 if quick else None,
        backend="reference" if quick else None,
        evaluation_episodes=2 if quick else None,
    )
    local = options.local or (out / "local" if quick else Path("runs/reproduce"))
    gradients = options.gradients or (out / "gradients" if quick else Path("runs/gradients"))
    found = Comparison(
        sources=Sources(plan, local, gradients),
        out=out,
        results=options.results or (out / "results" if quick else Path("results")),
        docs=options.docs,
        begin=begin,
        say_line=lambda line: print(line, flush=True),
        rules=not options.presets,
        tasks=_tasks(options.tasks),
    )
    if not quick:
        return found
    return replace(
        found,
        rules=False,
        replicas=(1, 2),
        rounds=1,
        perturbations=QUICK_PERTURBATIONS,
        amount=QUICK_AMOUNT,
    )


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--only", metavar="PARTS", help=f"of {', '.join(PARTS)}; with commas")
    found.add_argument("--tasks", metavar="NAMES", help="gridworld, cartpole, mountaincar")
    found.add_argument("--presets", action="store_true", help="leave the other rules out")
    found.add_argument("--seeds", metavar="N..M", help="default 0..19")
    found.add_argument("--page", action="store_true", help="the page of what is in --results")
    found.add_argument("--out", type=Path, metavar="DIR", help="runs (default runs/comparison)")
    found.add_argument(
        "--local", type=Path, metavar="DIR", help="those of the rules (default runs/reproduce)"
    )
    found.add_argument(
        "--gradients", type=Path, metavar="DIR", help="of gradients (default runs/gradients)"
    )
    found.add_argument("--results", type=Path, metavar="DIR", help="CSV (default results)")
    found.add_argument(
        "--docs", type=Path, default=Path("docs"), metavar="DIR", help="page and figures"
    )
    found.add_argument(
        "--quick",
        action="store_true",
        help="2 seeds, 3 episodes, reference backend; runs and CSV in runs/comparison-quick",
    )
    return found


def _tasks(names: str | None) -> Sequence[Task]:
    by_name = {task.name: task for task in TASKS}
    chosen = names.split(",") if names else list(by_name)
    for name in chosen:
        if name not in by_name:
            raise unknown("task", name, by_name)
    return [by_name[name] for name in chosen]


if __name__ == "__main__":
    raise SystemExit(main())
