"""Make all tables and figures of learning: results/*.csv, docs/learning.md and .png.

    python scripts/reproduce.py [--only gridworld,cartpole-lif] [--seeds 0..19] [--jobs 2] [--quick]

Runs stay in --out: what is complete there isn't run again, what was killed goes on. REPRODUCING.md
maps each table to its command.
"""

from __future__ import annotations

from experiments.catalogue import chosen
from experiments.command import reproduce
from experiments.options import experiment_parser, names_of, places_of, plan_of, training_progress
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status


@exit_status("reproduce", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    parser = experiment_parser(__doc__, "reproduce")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes that share the seeds")
    options = parser.parse_args(arguments)
    experiments = chosen(names_of(options))
    experiments = () if options.page else experiments
    places = places_of(options, "python scripts/reproduce.py")
    with training_progress() as begin:
        for path in reproduce(experiments, plan_of(options), places, begin, show):
            show(str(path))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
