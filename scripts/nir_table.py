"""Make the tables of docs/nir.md from the tests that play our files in other libraries.

python scripts/nir_table.py            run them and rewrite the table
python scripts/nir_table.py --peers    rewrite only the table of files that other libraries wrote
python scripts/nir_table.py --check    run them; exit status 1 if the page says otherwise

Rows of a library that isn't installed here stay as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "nir.md"
START, END = "<!-- nir: start -->", "<!-- nir: end -->"
PEERS = "<!-- peers: start -->", "<!-- peers: end -->"
COLUMNS = ("network", "readers", "form", "lag", "lead", "spikes", "differences", "nearest")

Key = tuple[str, ...]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--peers", action="store_true", help="only the table of their files")
    chosen = parser.parse_args(arguments)
    page = PAGE.read_text()
    new = replaced(page, PEERS, lambda _: peers())
    if not chosen.peers:
        new = replaced(new, (START, END), lambda old: markdown(run_tests(), old))
    if chosen.check:
        if page != new:
            print(f"docs/nir.md has other tables; run {Path(__file__).name}")
        return int(page != new)
    PAGE.write_text(new)
    return 0


def replaced(page: str, marks: tuple[str, str], make: Callable[[str], str]) -> str:
    """Return the page with another table between two marks, made from the old one."""
    before, start, rest = page.partition(marks[0])
    old, end, after = rest.partition(marks[1])
    return f"{before}{start}\n{make(old)}\n{end}{after}"


def peers() -> str:
    """Return the table of the files in tests/nir/peers, which are played here."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from peer_rows import FOLDER, HEAD, peer_row

    cases = json.loads((FOLDER / "peers.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        rows = [peer_row(name, case, Path(folder)) for name, case in cases.items()]
    return "\n".join([HEAD, "|---" * 6 + "|", *rows])


def run_tests() -> list[dict[str, Any]]:
    """Run the tests; return what each found, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        tests = ["-m", "pytest", "-q", "tests/witness/test_nir_readers.py", f"--nir-table={out}"]
        subprocess.run([sys.executable, *tests], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def markdown(rows: list[dict[str, Any]], old: str) -> str:
    """Format a row for each network, readers that agree taken together.

    Readers that weren't heard keep what the *old* table says of them.
    """
    heard = {row["reader"] for row in rows}
    by_case: dict[tuple[str, str], Key] = {
        (row["network"], row["reader"]): tuple(
            "" if row[name] is None else str(row[name]) for name in COLUMNS[2:]
        )
        for row in rows
    }
    for line in old.strip().splitlines()[2:]:
        network, readers, *cells = (cell.strip() for cell in line.strip().strip("|").split("|"))
        for reader in readers.split(", "):
            if reader not in heard:
                by_case[network, reader] = tuple(cells)
    together: dict[str, dict[Key, list[str]]] = {}
    for (network, reader), key in by_case.items():
        together.setdefault(network, {}).setdefault(key, []).append(reader)
    lines = [
        f"| {' | '.join([network, ', '.join(sorted(readers)), *key])} |"
        for network, keys in together.items()
        for key, readers in keys.items()
    ]
    return "\n".join([f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *lines])


if __name__ == "__main__":
    sys.exit(main())
