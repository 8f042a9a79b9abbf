"""Write docs/hyperparameters.md: every field of every part of an agent.

    python scripts/hyperparameters.py [--out FILE]

The classes alone decide the text, so it is the same each time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from documentation.hyperparameters import page
from neurorl.cli.status import exit_status
from neurorl.storage.files import write_bytes

PAGE = Path(__file__).parents[1] / "docs" / "hyperparameters.md"


@exit_status("hyperparameters")
def main(arguments: list[str] | None = None) -> int:
    """Write the page, and print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE, help="the file to write")
    out = parser.parse_args(arguments).out
    write_bytes(out, page().encode())
    print(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
