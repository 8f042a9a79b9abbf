"""Train the default of any task on harder ones: results/harder/*.csv, docs/harder-proofs.md.

    python scripts/harder_proofs.py [--only frozenlake,acrobot-local-chip] [--seeds 0..19] [--quick]

Local rule and gradients, in float and in chip arithmetic. What a seed reached stays in --out and
isn't run again; a task whose package is missing is named and left out (``pip install
'neurorl[torch,baselines]'`` has all). ``--page`` only makes table and figure of what is in
--results. ``--first-plays`` counts in the tables of --results the random steps by which agents are
chosen; nothing is trained.
"""

from __future__ import annotations

from experiments.harder import HARDER, count_first_plays, reproduce
from experiments.harder_page import put_page
from experiments.options import docs_of, experiment_parser, names_of, plan_of, results_of
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.errors import unknown_name_error


@exit_status("harder_proofs", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    parser = experiment_parser(__doc__, "harder")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes that share the seeds")
    parser.add_argument("--first-plays", action="store_true", help="only count them in tables")
    options = parser.parse_args(arguments)
    known = {key for e in HARDER for key in (e.name, e.task)}
    names = names_of(options) or sorted(known)
    for name in names:
        if name not in known:
            raise unknown_name_error("experiment", name, known)
    chosen = [e for e in HARDER if {e.name, e.task} & set(names) and not options.page]
    results, page = results_of(options), docs_of(options) / "harder-proofs.md"
    if options.first_plays:
        count_first_plays(results / "harder", show)
    else:
        reproduce(chosen, plan_of(options), results, show)
    if not options.quick:
        put_page(page, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
