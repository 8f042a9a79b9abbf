"""Fuzz every file and argument that somebody else may have written, and print a table.

    python scripts/fuzz.py [--inputs 200000] [--seed N]

Each input must end in a result or in one error of this package, run no code of its own, and take
less than 500 MB and 10 s. Exit status 1 if one doesn't; it is printed then.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from neurorl.cli.output import print_table, show
from neurorl.cli.status import exit_status

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fuzzing.campaign import COLUMNS, Row, campaign


@exit_status("fuzz")
def main(arguments: list[str] | None = None) -> int:
    """Try all targets; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=200_000, metavar="N", help="in all")
    parser.add_argument("--seed", type=int, metavar="N", help="default: another one every time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    seed = random.randrange(2**31) if options.seed is None else options.seed

    def told(row: Row) -> None:
        show(f"{row.target}: {row.inputs} inputs, {row.failed} failed")

    rows = campaign(options.inputs, seed, (lambda _: None) if options.json else told)
    failed = sum(row.failed for row in rows)
    if options.json:
        print(json.dumps({"seed": seed, "rows": [vars(row) for row in rows]}))
        return int(failed > 0)
    for row in rows:
        for line in row.failures:
            print(f"{row.target}: {line}")
    print_table(COLUMNS, [row.cells() for row in rows])
    inputs = sum(row.inputs for row in rows)
    peak, slowest = max(row.peak_mb for row in rows), max(row.slowest for row in rows)
    print(
        f"seed {seed}: {inputs} inputs, {failed} failed, {peak:.0f} MB and {slowest:.2f} s at most"
    )
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
