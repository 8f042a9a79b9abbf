"""Draw the learning curves of runs (``neurorl plot``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import added, beside

HELP = "draw the learning curves of runs, with bands over seeds"


add_arguments = added("""
runs RUN run +         or zoo:NAME, or a folder of runs, such as --seeds makes: their median, and a
    band of quartiles
--out FILE path        default: learning_curve.png in RUN
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.compare import plot_runs

    out = arguments.out or beside(arguments.runs[0], "learning_curve.png")
    print(plot_runs(arguments.runs, out))
    return 0
