"""Train the presets by gradients through stochastic spikes: results/*-gradients*.csv, tables.

    python scripts/reparameterization.py [--only gridworld-lif-gradients,...] [--seeds 0..19]

Every run is played greedily in float and in chip arithmetic. Runs stay in --out: what is complete
there isn't run again, what was killed goes on. ``--page`` only makes the tables and the figure of
docs/reparameterization.md, of what is in --results. Needs ``pip install 'neurorl[torch]'``.
"""

from __future__ import annotations

from pathlib import Path

from experiments.gradients import GRADIENTS, reproduce
from experiments.gradients_page import put_recalls, put_table
from experiments.options import (
    docs_of,
    experiment_parser,
    names_of,
    plan_of,
    results_of,
    training_progress,
)
from experiments.recall import RECALLS, draw, write_curves
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.errors import unknown_name_error


@exit_status("reparameterization", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    options = experiment_parser(__doc__, "gradients", "experiments").parse_args(arguments)
    known = {e.name: e for e in (*GRADIENTS, *RECALLS)}
    names = names_of(options) or list(known)
    for name in names:
        if name not in known:
            raise unknown_name_error("experiment", name, known)
    chosen = [known[name] for name in known if name in names and not options.page]
    plan, results = plan_of(options), results_of(options)
    page = docs_of(options) / "reparameterization.md"
    if not options.quick:
        put_page(page, results)  # what is there; and says at once if there is no page
    with training_progress() as begin:
        reproduce(chosen, plan, results, begin, show)
    write_curves(chosen, plan, results)
    if not options.quick:
        put_page(page, results)
    return 0


def put_page(page: Path, results: Path) -> None:
    """Put tables and figure of what is in *results* into the page."""
    put_table(page, results)
    put_recalls(page, results)
    draw(results, page.with_name("recall.png"))


if __name__ == "__main__":
    raise SystemExit(main())
