"""Print how much of each package the tests reach, from what ``make coverage`` has measured.

    python scripts/coverage_table.py [FILE]

FILE: of coverage's data (default: .coverage). A branch is a way out of a line that has several.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import coverage

Counts = tuple[int, int, int, int]
_NAMES = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def by_package(files: Mapping[str, Any]) -> dict[str, Counts]:
    """Return lines reached, lines, branches taken and branches of each folder, and of all.

    files: what coverage's JSON report says of each file, by its path.
    """
    found: dict[str, Counts] = {}
    for path, report in sorted(files.items()):
        counts = [report["summary"][name] for name in _NAMES]
        for name in (Path(path).parent.as_posix(), "all"):
            before = found.pop(name, (0, 0, 0, 0)) if name == "all" else found.get(name, (0,) * 4)
            a, b, c, d = (one + other for one, other in zip(before, counts, strict=True))
            found[name] = (a, b, c, d)
    return found


def main(arguments: list[str]) -> int:
    """Print the table."""
    data = coverage.Coverage(data_file=arguments[0] if arguments else ".coverage")
    data.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        data.json_report(outfile=str(report))
        files = json.loads(report.read_text())["files"]
    print("| package | lines | branches |\n|---|---|---|")
    for name, (reached, lines, taken, branches) in by_package(files).items():
        print(f"| {name} | {_percent(reached, lines)} | {_percent(taken, branches)} |")
    return 0


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} % of {whole:,}" if whole else "-"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
