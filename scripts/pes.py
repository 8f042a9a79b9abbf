"""Compare learning on the chip with the host's rule: results/*-pes*.csv and docs/pes.md.

    python scripts/pes.py [--only bandit,cartpole-lif-pes] [--seeds 0..19] [--tune] [--quick]

Runs stay in --out: what is complete there isn't run again, what was killed goes on. --tune runs the
settings that were tried instead, on seeds of its own; --page writes the page of what there is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.catalogue import Experiment
from experiments.command import summary_line
from experiments.options import (
    docs_of,
    experiment_parser,
    names_of,
    plan_of,
    results_of,
    training_progress,
)
from experiments.pes import COMPARED, GRIDS, write_pes_page
from experiments.run import Plan, run
from experiments.tables import rows_of, summary, write_table
from experiments.tuning import tune
from neurorl.agents.episodes import Episode
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.errors import unknown_name_error

Begin = Callable[[str, int], Callable[[Episode], None]]


@exit_status("pes", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment or setting."""
    options = parser().parse_args(arguments)
    # Only the emulated chip has this learning: no other backend can stand in when it is quick.
    plan = replace(plan_of(options), backend=None)
    names, results = names_of(options), results_of(options)
    with training_progress() as begin:
        if options.tune:
            for grid in GRIDS:
                if wanted(names, grid.name, grid.task):
                    tune(grid, plan.out / "tuning", results / "tuning", begin, show, options.quick)
        elif not options.page:
            for experiment in chosen(names):
                report(experiment, plan, results, begin)
    show(str(write_pes_page(results, docs_of(options))))
    return 0


def report(experiment: Experiment, plan: Plan, results: Path, begin: Begin) -> None:
    """Run an experiment, write its table, and print its line."""
    total = plan.episodes_of(experiment) * len(plan.seeds)
    rows = rows_of(experiment, plan, run(experiment, plan, begin(experiment.name, total)))
    write_table(results / f"{experiment.name}.csv", rows)
    show(summary_line(experiment, summary(experiment, rows)))


def chosen(names: Sequence[str] | None) -> list[Experiment]:
    """Return the experiments of these names or tasks. Raises UnknownNameError for others."""
    known = {key for e in COMPARED for key in (e.name, e.task.name)}
    for name in names or ():
        if name not in known:
            raise unknown_name_error("experiment", name, known)
    return [e for e in COMPARED if wanted(names, e.name, e.task.name)]


def wanted(only: Sequence[str] | None, *names: str) -> bool:
    return only is None or bool(set(only) & set(names))


def parser() -> argparse.ArgumentParser:
    result = experiment_parser(__doc__, "pes")
    result.add_argument("--tune", action="store_true", help="the settings that were tried")
    return result


if __name__ == "__main__":
    raise SystemExit(main())
