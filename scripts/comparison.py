"""Compare local rules with gradients: results/comparison/*.csv, docs/comparison.md.

    python scripts/comparison.py [--only efficiency,cost,robustness,gradients] [--seeds 0..19]

Takes the runs of scripts/reproduce.py and scripts/reparameterization.py, and makes those that
aren't there. What is complete isn't run again, what was killed goes on. ``--page`` only makes the
tables and figures of what is in --results. Needs ``pip install 'neurorl[torch]'``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.catalogue import TASKS, Task
from experiments.comparison.command import PARTS, Comparison, run_parts, write_page
from experiments.comparison.quality import Amount
from experiments.comparison.sources import Sources
from experiments.options import (
    docs_of,
    experiment_parser,
    names_of,
    plan_of,
    results_of,
    training_progress,
)
from neurorl.agents.episodes import Episode
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.errors import unknown_name_error
from neurorl.storage.files import make_folder, write_bytes

KEPT = Path(__file__).parents[1] / "docs" / "comparison.md"
"""Locate the page in the checkout; --quick writes its tables into a copy."""

QUICK_AMOUNT = Amount(states=4, played=20, size=8, parts=3)
QUICK_STEPS = 200
QUICK_PERTURBATIONS = ("none", "lesion-90")


@exit_status("comparison", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each result."""
    options = parser().parse_args(arguments)
    parts = names_of(options) or list(PARTS)
    for part in parts:
        if part not in PARTS:
            raise unknown_name_error("part", part, PARTS)
    with training_progress() as begin:
        asked = comparison(options, begin)
        page = asked.docs / KEPT.name
        if options.quick and not page.exists():
            make_folder(page.parent)
            write_bytes(page, KEPT.read_bytes())
        if not options.page:
            run_parts(asked, parts)
    for path in write_page(asked.results, asked.docs):
        show(str(path))
    return 0


def comparison(
    options: argparse.Namespace, begin: Callable[[str, int], Callable[[Episode], None]]
) -> Comparison:
    """Return what these options ask for; --quick is small, with all files in one folder."""
    plan, quick = plan_of(options), options.quick
    local = options.local or (plan.out / "local" if quick else Path("runs/reproduce"))
    gradients = options.gradients or (plan.out / "gradients" if quick else Path("runs/gradients"))
    result = Comparison(
        sources=Sources(plan, local, gradients),
        out=plan.out,
        results=results_of(options),
        docs=docs_of(options),
        begin=begin,
        say_line=show,
        rules=not options.presets,
        tasks=chosen_tasks(options.tasks),
    )
    if not quick:
        return result
    return replace(
        result,
        rules=False,
        replicas=(1, 2),
        rounds=1,
        steps=QUICK_STEPS,
        perturbations=QUICK_PERTURBATIONS,
        amount=QUICK_AMOUNT,
    )


def parser() -> argparse.ArgumentParser:
    result = experiment_parser(__doc__, "comparison", f"of {', '.join(PARTS)}")
    result.add_argument("--tasks", metavar="NAMES", help="gridworld, cartpole, mountaincar")
    result.add_argument("--presets", action="store_true", help="leave the other rules out")
    result.add_argument(
        "--local", type=Path, metavar="DIR", help="runs of the rules (default runs/reproduce)"
    )
    result.add_argument(
        "--gradients", type=Path, metavar="DIR", help="runs of gradients (default runs/gradients)"
    )
    return result


def chosen_tasks(names: str | None) -> Sequence[Task]:
    """Return the tasks of these names. Raises UnknownNameError."""
    by_name = {task.name: task for task in TASKS}
    chosen = names.split(",") if names else list(by_name)
    for name in chosen:
        if name not in by_name:
            raise unknown_name_error("task", name, by_name)
    return [by_name[name] for name in chosen]


if __name__ == "__main__":
    raise SystemExit(main())
