"""Check which parts of this installation work (``neurorl doctor``)."""

from __future__ import annotations

import argparse
import json

from neurorl.cli.output import print_rows

HELP = "check versions, compiler and every backend"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Examine the installation; return 1 if something that is installed doesn't work, else 0."""
    from rich.console import Console

    from neurorl.doctor.examination import examine, verdict

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("looking") as status:
            rows = examine(lambda what: status.update(f"looking at {what}"))
    else:
        rows = examine()
    result = verdict(rows)
    if arguments.json:
        print(json.dumps({"verdict": result, "rows": rows}))
        return int(result != "ok")
    print_rows("check, name, found, status", rows)
    for row in rows:
        if row["status"] != "ok":
            remedy = f"; {row['remedy']}" if row["remedy"] else ""
            print(f"{row['status']}: {row['check']} {row['name']}: {row['problem']}{remedy}")
    print("all that is installed works" if result == "ok" else "something that is installed fails")
    return int(result != "ok")
