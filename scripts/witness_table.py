"""Make the table of docs/witnesses.md from the tests against other people's simulators.

python scripts/witness_table.py

Rows of a witness that isn't installed here stay as they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
START, END = "<!-- witnesses: start -->", "<!-- witnesses: end -->"
COLUMNS = ("witness", "what is compared", "tolerance", "worst seen", "`pytest`")


def main() -> int:
    page = ROOT / "docs" / "witnesses.md"
    before, _, rest = page.read_text().partition(START)
    old, _, after = rest.partition(END)
    table = markdown(run_tests(), old)
    page.write_text(f"{before}{START}\n{table}\n{END}{after}")
    return 0


def run_tests() -> list[dict[str, Any]]:
    """Run the tests; return what each measured, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "witnesses.json"
        tests = ["-m", "pytest", "-q", "tests/witness", f"--witness-table={out}"]
        subprocess.run([sys.executable, *tests], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        rows: list[dict[str, Any]] = json.loads(out.read_text())
        return rows


def markdown(rows: list[dict[str, Any]], old: str) -> str:
    """Format a row for each measurement, and *old* ones of witnesses that didn't run."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        lines.setdefault(row["witness"], []).append(_line(row))
    for line in old.strip().splitlines()[2:]:
        witness = line.strip("|").split("|")[0].strip()
        if witness not in {row["witness"] for row in rows}:
            lines.setdefault(witness, []).append(line)
    head = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*head, *(line for name in sorted(lines) for line in lines[name])])


def _line(row: dict[str, Any]) -> str:
    numbers = [f"{row[key]:.2g}" for key in ("tolerance", "worst")]
    test = row["test"].partition("::")[0]
    return f"| {' | '.join([row['witness'], row['what'], *numbers, f'`{test}`'])} |"


if __name__ == "__main__":
    sys.exit(main())
