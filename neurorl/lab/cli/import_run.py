"""Make a run of a folder that was shared (``neurorl import``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import added

HELP = "make a run of a folder that neurorl export wrote"


add_arguments = added("""
folder FOLDER path
--out RUN path required  a new one
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.exchange import import_run

    print(import_run(arguments.folder, arguments.out))
    return 0
