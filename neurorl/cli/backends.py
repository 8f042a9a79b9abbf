"""List the backends and what they need (``neurorl backends``)."""

from __future__ import annotations

import argparse
import json

from neurorl.cli.output import print_rows

HELP = "list the backends and what they need"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.backends.lookup import quickest
    from neurorl.backends.registry import remembered_backends

    rows, default = remembered_backends(), quickest()
    if arguments.json:
        print(json.dumps({"rows": rows, "default": default}))
        return 0
    print_rows("name, available, version, target, engines, arithmetics, remedy", rows)
    print(f"{default} runs what names no backend")
    for row in rows:
        if row["unverified"]:
            print(f"{row['name']}: {row['unverified']}")
    return 0
