"""Make a run of a folder that was shared (``neurorl import``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import path

HELP = "make a run of a folder that neurorl export wrote"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=path, metavar="FOLDER")
    parser.add_argument("--out", type=path, required=True, metavar="RUN", help="a new one")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.exchange import import_run

    print(import_run(arguments.folder, arguments.out))
    return 0
