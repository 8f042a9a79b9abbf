"""Write a trained agent to a folder to be shared (``neurorl export``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import path
from neurorl.cli.options import run as run_path

HELP = "write a run to a folder in Hugging Face's layout: safetensors and a card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_path, metavar="RUN", help="or zoo:NAME")
    parser.add_argument("--out", type=path, required=True, metavar="FOLDER", help="a new one")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.exchange import export_run

    print(export_run(arguments.run, arguments.out))
    return 0
