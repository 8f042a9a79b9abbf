"""Show what `validate` says of backends with a known fault each: rightly, unknown or wrongly.

    python scripts/validation_faults.py [--sets tuned,held_out,unseen] [--shift 0]
    python scripts/validation_faults.py --sets shifts,shifts_held_out,shifts_unseen [--shift 0]
    python scripts/validation_faults.py --only threshold --json
    python scripts/validation_faults.py --page docs/validation.md

The faults are those of ``tests/validation/faults``; the sets of shifts are in Xylo's integers, and
--shift draws other networks for them. Exit status 1 if one is named wrongly.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "validation"))

from faults.case import Fault, judge
from faults.held_out import HELD_OUT
from faults.shift_faults import tuned_shifts
from faults.shift_held_out import held_out_shifts
from faults.shift_unseen import unseen_shifts
from faults.tuned import TUNED
from faults.unseen import UNSEEN
from faults.users import USERS, USERS_HELD_OUT

from experiments.validation_page import insert
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status

SETS = {
    "tuned": TUNED,
    "held_out": HELD_OUT,
    "unseen": UNSEEN,
    "users": USERS,
    "users_held_out": USERS_HELD_OUT,
}
OF_SHIFTS = {
    "shifts": tuned_shifts,
    "shifts_held_out": held_out_shifts,
    "shifts_unseen": unseen_shifts,
}
VERDICTS = ("rightly", "unknown", "wrongly", "not seen")


@exit_status("validation_faults")
def main(arguments: list[str] | None = None) -> int:
    """Judge every fault; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", default=",".join(SETS), metavar="A,B")
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--shift", type=int, default=0, help="added to every seed")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="put the table there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    rows = [
        _row(name, fault)
        for name in options.sets.split(",")
        for fault in _faults(name, options.shift)
        if options.only in fault.name
    ]
    if options.page is not None:
        named = f" --sets {options.sets}" if options.sets != ",".join(SETS) else ""
        shift = f" --shift {options.shift}" if options.shift else ""
        command = f"python scripts/validation_faults.py{named}{shift}"
        block = "shift faults" if named else "faults"
        marks = f"<!-- {block}: start -->", f"<!-- {block}: end -->"
        insert(options.page, f"`{command}`:\n\n{_table(rows)}", marks)
    if options.json:
        print(json.dumps(rows))
    else:
        _print(rows)
    return 1 if any(row["verdict"] == "wrongly" for row in rows) else 0


def _faults(name: str, shift: int) -> tuple[Fault, ...]:
    if name in OF_SHIFTS:
        return OF_SHIFTS[name](shift)
    return tuple(dataclasses.replace(fault, seed=fault.seed + shift) for fault in SETS[name])


def _row(name: str, fault: Fault) -> dict[str, Any]:
    start = time.process_time()
    verdict, explained = judge(fault)
    return {
        "set": name,
        "fault": fault.name,
        "kind": " or ".join(fault.causes),
        "seed": fault.seed,
        "verdict": verdict,
        "told": explained,
        "cpu_s": round(time.process_time() - start, 1),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    """Print every fault, then how many of each kind are named how."""
    print_table(
        ("set", "fault", "verdict", "CPU s"),
        [[row["set"], row["fault"], row["verdict"], str(row["cpu_s"])] for row in rows],
    )
    for row in rows:
        if row["verdict"] != "rightly":
            print(f"\n{row['fault']}: {row['verdict']}: {row['told']}")
    print()
    for key in ("kind", "set"):
        kinds = sorted({row[key] for row in rows})
        counts = {k: Counter(row["verdict"] for row in rows if row[key] == k) for k in kinds}
        cells = [[k, *(str(counts[k][v]) for v in VERDICTS)] for k in kinds]
        print_table((key, *VERDICTS), cells)
        print()


def _table(rows: list[dict[str, Any]]) -> str:
    """Format how many of each set and kind are named how, for a page."""
    lines = ["| faults | " + " | ".join(VERDICTS) + " |", "|---" * (len(VERDICTS) + 1) + "|"]
    for key in ("set", "kind"):
        for value in dict.fromkeys(row[key] for row in rows):
            count = Counter(row["verdict"] for row in rows if row[key] == value)
            cells = [value.replace("_", " "), *(str(count[v]) for v in VERDICTS)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
