"""Measure what float-trained agents lose on Loihi: results/deployment*.csv, docs/deployment.md.

    python scripts/deploy.py [--only gridworld,cartpole-lif] [--seeds 0..19] [--quick]

Trains what `scripts/reproduce.py` trains, in the same runs: what is complete there isn't run again,
what was killed goes on. Then plays it in chip arithmetic, with each noise that the chip can have.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from experiments.catalogue import Experiment
from experiments.checks import merge, read_checks, write_checks
from experiments.deploy import NOISES, chosen_deployments, deploy, emulated, write_deployment
from experiments.deploy_page import deployment_page, lost_percent
from experiments.options import experiment_parser, names_of, places_of, plan_of, training_progress
from experiments.run import Plan
from neurorl.agents.episodes import Episode
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.storage.files import make_folder, write_bytes

Begin = Callable[[str, int], Callable[[Episode], None]]


@exit_status("deploy", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    options = experiment_parser(__doc__, "reproduce").parse_args(arguments)
    experiments = chosen_deployments(names_of(options))
    places = places_of(options, "python scripts/deploy.py")
    with training_progress() as begin:
        for experiment in () if options.page else experiments:
            run_one(experiment, plan_of(options), places.results, begin)
    page = places.docs / "deployment.md"
    backend = "the reference" if options.quick else "Brian2"
    make_folder(page.parent)
    write_bytes(page, deployment_page(places.results, places.command, backend).encode())
    show(str(page))
    return 0


def run_one(experiment: Experiment, plan: Plan, results: Path, begin: Begin) -> None:
    """Run one experiment; write its rows, and return a line for each noise."""
    total = plan.episodes_of(experiment) * len(plan.seeds)
    rows, rates = deploy(experiment, plan, begin(experiment.name, total))
    write_deployment(results / "deployment.csv", rows)
    write_deployment(results / "deployment-rates.csv", rates)
    checks = results / "deployment-checks.csv"
    for row in emulated(experiment, plan):
        write_checks(checks, merge(read_checks(checks), row))
    for noise in NOISES[experiment.model]:
        group = [row for row in rows if row.noise == noise]
        show(f"{experiment.name}, {noise}: {lost_percent(group):.2f} % lost, {len(group)} seeds")


if __name__ == "__main__":
    raise SystemExit(main())
