"""Compare groups of runs, or the settings of a sweep (``neurorl compare``)."""

from __future__ import annotations

import argparse
import dataclasses
import json

from neurorl.cli.options import added
from neurorl.cli.output import cell, print_table

HELP = "compare runs over seeds: interquartile means, intervals, probability of improvement"


add_arguments = added("""
groups GROUP run +     a folder of runs, or table.csv of a sweep; the others are held against the
    first
--by COLUMN            of a table: each of its values is a group, such as rule
--score COLUMN         of a table (default: greedy_return, else mean_return_last_100)
--json                 print one JSON object
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.compare import compare, scores_of

    groups = {}
    for place in arguments.groups:
        groups.update(scores_of(place, arguments.by, arguments.score))
    rows = compare(groups)
    if arguments.json:
        print(json.dumps({"rows": [dataclasses.asdict(row) for row in rows]}))
        return 0
    columns = ("group", "runs", "IQM", "95 % interval", "mean", "worst", "P(better than first)")
    lines = []
    for row in rows:
        better = "" if row.better is None else "{:.2f} ({:.2f} to {:.2f})".format(*row.better)
        interval = f"{cell(row.low)} to {cell(row.high)}"
        figures = (cell(row.iqm), interval, cell(row.mean), cell(row.worst))
        lines.append([row.name, str(row.n), *figures, better])
    print_table(columns, lines)
    return 0
