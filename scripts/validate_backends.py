"""Validate all shipped models on all backends, in each arithmetic and across, with learning.

    python scripts/validate_backends.py [--steps 10000] [--updates 100] [--seeds 0..4]
    python scripts/validate_backends.py --short       what CI runs
    python scripts/validate_backends.py --seeds 0..4 --episodes 200 --page docs/validation.md
    python scripts/validate_backends.py --models lif --rows results/validation.json     a part

Exit status 1 if any verdict is "different".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from experiments.validation_matrix import TASKS, cells, merge, run_matrix
from experiments.validation_page import insert, tables
from neurorl.cli.output import print_table, steps_progress
from neurorl.cli.status import exit_status
from neurorl.models.defaults.presets import ALONE
from neurorl.runs.training import read_seeds
from neurorl.storage.files import write_json

SHORT = {"backends": "reference,brian2:numpy,loihi", "steps": 48, "updates": 4}
COLUMNS = ("model", "env", "backend_a", "backend_b", "seed", "verdict")


@exit_status("validate_backends")
def main(arguments: list[str] | None = None) -> int:
    """Run the matrix; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", metavar="A,B", help="default: all that are installed")
    parser.add_argument("--models", default=",".join(ALONE), metavar="A,B")
    parser.add_argument("--tasks", default=",".join(TASKS), metavar="A,B")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--seeds", default="0", help="all of them across arithmetics")
    parser.add_argument("--episodes", type=int, default=0, help="also across them after training")
    parser.add_argument("--short", action="store_true", help=f"{SHORT}")
    parser.add_argument(
        "--rows", type=Path, metavar="FILE.json", help="add to those that are there, or were"
    )
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="put the tables there")
    parser.add_argument("--no-run", action="store_true", help="only the page, of those --rows")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.short:
        parser.set_defaults(**SHORT)
        options = parser.parse_args(arguments)
    plan = cells(
        options.backends,
        options.models.split(","),
        options.tasks.split(","),
        read_seeds(options.seeds),
        options.episodes,
    )
    with steps_progress("validating") as advance:
        cells_to_run = [] if options.no_run else plan
        rows = list(run_matrix(cells_to_run, options.steps, options.updates, advance))
    if options.rows is not None:
        old = json.loads(options.rows.read_text()) if options.rows.exists() else []
        rows = merge(old, rows)
        write_json(options.rows, rows)
    if options.page is not None:
        insert(options.page, tables(rows, command(options)))
    if options.json:
        print(json.dumps({"rows": rows}))
    else:
        print_table(COLUMNS, [[str(row[name]) for name in COLUMNS] for row in rows])
    return int(any(row["verdict"] == "different" for row in rows))


def command(options: Any) -> str:
    """Return the command that repeats it."""
    parts = ["python scripts/validate_backends.py", f"--steps {options.steps}"]
    parts += [f"--updates {options.updates}", f"--seeds {options.seeds}"]
    parts += [f"--episodes {options.episodes}"] if options.episodes else []
    parts += [f"--models {options.models}"] if options.models != ",".join(ALONE) else []
    parts += [f"--tasks {options.tasks}"] if options.tasks != ",".join(TASKS) else []
    parts += [f"--backends {options.backends}"] if options.backends else []
    return " ".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
