"""Measure how time and memory grow with network size, replicas and length, on each backend.

    python scripts/growth.py [--backends reference,native,loihi] [--out docs] [--quick]

Writes growth.json, growth.md and growth.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.figure import draw
from benchmarks.growth import grow, points
from benchmarks.growth_page import markdown
from benchmarks.report import machine
from neurorl.bench.command import progress
from neurorl.cli.status import exit_status
from neurorl.storage.files import make_folder, write_bytes, write_json


@exit_status("growth")
def main(arguments: list[str] | None = None) -> int:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--backends",
        default="reference,native,brian2:cython,brian2:numpy,loihi,loihi:stock",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="default docs; of --quick runs/growth-quick"
    )
    parser.add_argument("--quick", action="store_true", help="few and small points")
    options = parser.parse_args(arguments)
    out = options.out or Path("runs/growth-quick" if options.quick else "docs")
    todo = points(options.backends.split(","), options.quick)
    with progress(len(todo)) as advance:
        data = grow(todo, advance)
    make_folder(out)
    where = machine()
    write_json(out / "growth.json", {"machine": where, **data})
    command = "python scripts/growth.py" + " --quick" * options.quick
    page = markdown(data, where, command)
    write_bytes(out / "growth.md", page.encode())
    print(out / "growth.json")
    print(out / "growth.md")
    print(draw(data, out / "growth.png"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
