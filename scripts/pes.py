"""Learning on the chip against the host's rule: results/*-pes*.csv and docs/pes.md.

    python scripts/pes.py [--only bandit,cartpole-lif-pes] [--seeds 0..19] [--tune] [--quick]

Runs stay in --out: what is complete there isn't run again, what was killed goes on. --tune runs the
settings that were tried instead, on seeds of its own; --page writes the page of what there is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reproduce import QUICK_EPISODES, QUICK_EVALUATION, progress, show

from neurorl.errors import NeurorlError, unknown
from neurorl.reproduce.command import summary_line
from neurorl.reproduce.experiments import SEEDS, Experiment
from neurorl.reproduce.pes import COMPARED, GRIDS, write_pes_page
from neurorl.reproduce.run import Plan, run
from neurorl.reproduce.tables import rows_of, summary, write_table
from neurorl.reproduce.tuning import tune
from neurorl.training import read_seeds


def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment or setting."""
    options = parser().parse_args(arguments)
    out = options.out or Path("runs") / ("pes-quick" if options.quick else "pes")
    base = out if options.quick else Path()
    results, docs = options.results or base / "results", options.docs or base / "docs"
    try:
        with progress() as begin:
            if options.tune:
                for grid in GRIDS:
                    if wanted(options.only, grid.name, grid.task):
                        tune(grid, out / "tuning", results / "tuning", begin, show, options.quick)
            elif not options.page:
                for experiment in chosen(options.only):
                    total = plan(options, out).episodes_of(experiment) * len(seeds(options))
                    report(experiment, plan(options, out), results, begin(experiment.name, total))
        show(str(write_pes_page(results, docs)))
    except NeurorlError as exc:
        print(f"pes: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pes: stopped; goes on from here when it is started again", file=sys.stderr)
        return 130
    return 0


def report(experiment: Experiment, the: Plan, results: Path, callback) -> None:  # type: ignore[no-untyped-def]
    """Run an experiment, write its table, and print its line."""
    rows = rows_of(experiment, the, run(experiment, the, callback))
    write_table(results / f"{experiment.name}.csv", rows)
    show(summary_line(experiment, summary(experiment, rows)))


def chosen(only: str | None) -> list[Experiment]:
    """The experiments of these names or tasks. Raises UnknownNameError for others."""
    known = {key for e in COMPARED for key in (e.name, e.task.name)}
    for name in only.split(",") if only else ():
        if name not in known:
            raise unknown("experiment", name, known)
    return [e for e in COMPARED if wanted(only, e.name, e.task.name)]


def wanted(only: str | None, *names: str) -> bool:
    return only is None or bool(set(only.split(",")) & set(names))


def seeds(options: argparse.Namespace) -> tuple[int, ...]:
    default = SEEDS[:2] if options.quick else SEEDS
    return tuple(read_seeds(options.seeds)) if options.seeds else default


def plan(options: argparse.Namespace, out: Path) -> Plan:
    if not options.quick:
        return Plan(out, seeds(options), evaluation_episodes=options.evaluation_episodes)
    return Plan(out, seeds(options), QUICK_EPISODES, evaluation_episodes=QUICK_EVALUATION)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--only", metavar="NAMES", help="experiments or tasks, with commas")
    found.add_argument("--seeds", metavar="N..M", help="default 0..19")
    found.add_argument("--tune", action="store_true", help="the settings that were tried")
    found.add_argument("--page", action="store_true", help="the page of what is in --results")
    found.add_argument("--evaluation-episodes", type=int, metavar="N", help="default the task's")
    found.add_argument("--out", type=Path, metavar="DIR", help="runs (default runs/pes)")
    found.add_argument("--results", type=Path, metavar="DIR", help="CSV (default results)")
    found.add_argument("--docs", type=Path, metavar="DIR", help="page (default docs)")
    found.add_argument(
        "--quick", action="store_true", help="2 seeds, 3 episodes; in runs/pes-quick"
    )
    return found


if __name__ == "__main__":
    raise SystemExit(main())
