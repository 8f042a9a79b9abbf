"""Measure the smaller tables of the docs, keep them in results/tables, and put them into pages.

    python scripts/tables.py [--only time-step,deep] [--page]

deep, lost-populations, estimators and training-cost take some minutes each, the others seconds.
Those that end in cost are times: measure them with nothing else running; energy needs sanafe.
--page makes the pages anew from what is in results/tables. Those of README.md and docs/figures.md
are made anew each time, from the files that these name.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from experiments.costs import COSTS
from experiments.energy import ENERGY
from experiments.readme import write_pages
from experiments.smaller import SMALLER
from experiments.tested import TESTED
from neurorl.cli.status import exit_status
from neurorl.errors import unknown_name_error

ROOT = Path(__file__).parents[1]
TABLES = {**SMALLER, **TESTED, **COSTS, **ENERGY}


@exit_status("tables")
def main(arguments: list[str] | None = None) -> int:
    """Measure, write, and print the paths of what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAMES", help=f"of {', '.join(TABLES)}")
    parser.add_argument("--page", action="store_true", help="the pages of what is there")
    parser.add_argument("--quick", action="store_true", help="seconds; files in runs/tables-quick")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(TABLES)
    for name in names:
        if name not in TABLES:
            raise unknown_name_error("table", name, TABLES)
    base = Path("runs/tables-quick" if options.quick else ".")
    results, docs = base / "results" / "tables", base / "docs"
    if options.quick:
        shutil.copytree(ROOT / "docs", docs, dirs_exist_ok=True)
    for name in names:
        written = [] if options.page else TABLES[name].measure(results, options.quick)
        for path in [*written, TABLES[name].write_page(results, docs)]:
            print(path)
    if not options.quick:
        print(*write_pages(base), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
