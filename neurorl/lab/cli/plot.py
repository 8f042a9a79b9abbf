"""Draw the learning curves of runs (``neurorl plot``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import beside, path
from neurorl.cli.options import run as run_path

HELP = "draw the learning curves of runs, with bands over seeds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        type=run_path,
        metavar="RUN",
        help="or zoo:NAME, or a folder of runs, such as --seeds makes: their median, and a band"
        " of quartiles",
    )
    parser.add_argument(
        "--out", type=path, metavar="FILE", help="default: learning_curve.png in RUN"
    )


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.compare import plot_runs

    out = arguments.out or beside(arguments.runs[0], "learning_curve.png")
    print(plot_runs(arguments.runs, out))
    return 0
