"""Make the table of features in docs/agreement.md from a run of the contract suite.

python scripts/feature_table.py            run the suite and rewrite the table
python scripts/feature_table.py --check    run it; exit status 1 if the page says otherwise
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
START, END = "<!-- features: start -->", "<!-- features: end -->"


def main() -> int:
    """Run the suite, then rewrite the table or compare it; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    page = ROOT / "docs" / "agreement.md"
    before, _, rest = page.read_text().partition(START)
    old, _, after = rest.partition(END)
    new = f"\n{markdown(run_suite())}\n"
    if arguments.check:
        if old != new:
            print(f"{page.name} has another table; run {Path(__file__).name}:{new}")
        return int(old != new)
    page.write_text(f"{before}{START}{new}{END}{after}")
    return 0


def run_suite() -> dict[str, dict[str, str]]:
    """Run the suite and return ``{feature: {case: verdict}}``."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "features.json"
        suite = ["-m", "pytest", "-q", "neurorl/testing/contract", f"--feature-table={out}"]
        subprocess.run([sys.executable, *suite], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        table: dict[str, dict[str, str]] = json.loads(out.read_text())
        return table


def markdown(table: dict[str, dict[str, str]]) -> str:
    """Format features as rows, backends and arithmetics as columns, engines that agree together."""
    columns: dict[str, list[str]] = {}
    for case in next(iter(table.values())):
        backend, *_, arithmetic = case.split("-")
        columns.setdefault(f"{backend}, {arithmetic}", []).append(case)
    lines = ["| feature | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for feature, verdicts in table.items():
        cells = [" / ".join(sorted({verdicts[c] for c in cases})) for cases in columns.values()]
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
