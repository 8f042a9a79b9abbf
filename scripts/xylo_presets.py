"""Train the presets of three tasks for Xylo: results/tables/xylo.csv.

    python scripts/xylo_presets.py [--tasks gridworld,cartpole,mountaincar] [--seeds 0..19]

Networks are the presets of model lif but for their neurons, which have no noise, decays that are
shifts, and no bias (`experiments.deploy_xylo.SETTINGS`); they are larger than the chip has room
for. Each seed is trained in Xylo's integers and in floats, with as many episodes as
docs/learning.md has. Figures are means of greedy play, of the gridworld discounted. Seeds that the
table has aren't run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.deploy_xylo import SETTINGS, XyloRow, mean_and_worst, xylo_row, xylo_table
from experiments.tables import read_table, write_table
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.errors import check_name
from neurorl.runs.training import read_seeds

RESULTS = Path(__file__).parents[1] / "results"


def summary(name: str, rows: list[XyloRow]) -> str:
    """Return what the rows of one task come to, with the worst seed in brackets."""
    digits = SETTINGS[name].task.digits
    learned, floats, quantised = (
        mean_and_worst([getattr(row, field) for row in rows], digits)
        for field in ("greedy", "floats", "quantised")
    )
    return (
        f"{name}, {len(rows)} seeds: trained in Xylo's integers {learned}; "
        f"trained in floats {floats}, and played in Xylo's integers {quantised}"
    )


@exit_status("xylo_presets", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run the seeds that are missing, write each, and print a line for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default=",".join(SETTINGS))
    parser.add_argument("--seeds", metavar="N..M", default="0..19")
    parser.add_argument("--table", type=Path, default=xylo_table(RESULTS))
    options = parser.parse_args(arguments)
    seeds = read_seeds(options.seeds)
    for name in options.tasks.split(","):
        check_name("task", name, SETTINGS)
        rows = list[XyloRow]()
        for seed in seeds:
            rows = read_table(options.table, XyloRow) if options.table.exists() else rows
            if not any((row.task, row.seed) == (name, seed) for row in rows):
                rows.append(xylo_row(SETTINGS[name], seed))
                rows.sort(key=lambda row: (row.task, row.seed))
                write_table(options.table, rows)
        show(summary(name, [row for row in rows if row.task == name and row.seed in seeds]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
