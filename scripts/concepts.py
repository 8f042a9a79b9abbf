"""Draw docs/drawings: a description, a decision, a window, a rule.

    python scripts/concepts.py [--out FOLDER]

Text and numbers alone decide the files, so they are the same each time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from documentation.concepts import DRAWINGS
from neurorl.cli.status import exit_status
from neurorl.storage.files import write_bytes

FOLDER = Path(__file__).parents[1] / "docs" / "drawings"


@exit_status("concepts")
def main(arguments: list[str] | None = None) -> int:
    """Draw, and print the paths of what was written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the drawings")
    out = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWINGS.items():
        path = out / f"{name}.svg"
        write_bytes(path, draw().svg().encode())
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
