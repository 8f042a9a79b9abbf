"""What float-trained agents lose on Loihi: results/deployment*.csv and docs/deployment.md.

    python scripts/deploy.py [--only gridworld,cartpole-lif] [--seeds 0..19] [--quick]

Trains what `scripts/reproduce.py` trains, in the same runs: what is complete there isn't run again,
what was killed goes on. Then plays it in chip arithmetic, with each noise that the chip can have.
"""

from __future__ import annotations

import argparse
import sys

from reproduce import Begin, parser, places, plan, progress, show

from neurorl.errors import NeurorlError
from neurorl.files import write_bytes
from neurorl.reproduce.checks import merge, read_checks, write_checks
from neurorl.reproduce.deploy import (
    NOISES,
    chosen_deployments,
    deploy,
    emulated,
    write_deployment,
)
from neurorl.reproduce.deploy_page import deployment_page, lost_percent
from neurorl.reproduce.experiments import Experiment


def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    options = parser(__doc__).parse_args(arguments)
    try:
        experiments = chosen_deployments(options.only.split(",") if options.only else None)
        with progress() as begin:
            for experiment in () if options.page else experiments:
                run_one(experiment, options, begin)
        where = places(options)
        page = where.docs / "deployment.md"
        command = where.command.replace("reproduce.py", "deploy.py")
        backend = "the reference" if options.quick else "Brian2"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(page, deployment_page(where.results, command, backend).encode())
        show(str(page))
    except NeurorlError as exc:
        print(f"deploy: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("deploy: stopped; goes on from here when it is started again", file=sys.stderr)
        return 130
    return 0


def run_one(experiment: Experiment, options: argparse.Namespace, begin: Begin) -> None:
    """One experiment: its rows in the tables, and a line for each noise."""
    the = plan(options)
    noises = NOISES[experiment.model]
    total = (the.episodes_of(experiment) + len(noises)) * len(the.seeds)
    rows, rates = deploy(experiment, the, begin(experiment.name, total))
    results = places(options).results
    write_deployment(results / "deployment.csv", rows)
    write_deployment(results / "deployment-rates.csv", rates)
    checks = results / "deployment-checks.csv"
    for row in emulated(experiment, the):
        write_checks(checks, merge(read_checks(checks), row))
    for noise in noises:
        mine = [row for row in rows if row.noise == noise]
        show(f"{experiment.name}, {noise}: {lost_percent(mine):.2f} % lost, {len(mine)} seeds")


if __name__ == "__main__":
    raise SystemExit(main())
