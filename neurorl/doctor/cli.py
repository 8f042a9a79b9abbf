"""List the backends, and check which parts of this installation work."""

from __future__ import annotations

import argparse
import json

from neurorl.cli.options import command
from neurorl.cli.output import print_rows


@command("""
check versions, compiler and every backend

--json                 print one JSON object
""")
def doctor(arguments: argparse.Namespace) -> int:
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


@command("""
list the backends and what they need

--json                 print one JSON object
""")
def list_backends(arguments: argparse.Namespace) -> None:
    from neurorl.backends.lookup import quickest
    from neurorl.backends.registry import remembered_backends

    rows, default = remembered_backends(), quickest()
    if arguments.json:
        print(json.dumps({"rows": rows, "default": default}))
        return
    print_rows("name, available, version, target, engines, arithmetics, remedy", rows)
    print(f"{default} runs what names no backend")
    for row in rows:
        if row["unverified"]:
            print(f"{row['name']}: {row['unverified']}")
