"""The presets by gradients through stochastic spikes: results/*-gradients*.csv, and their tables.

    python scripts/reparameterization.py [--only gridworld-lif-gradients,...] [--seeds 0..19]

Every run is played greedily in float and in chip arithmetic. Runs stay in --out: what is complete
there isn't run again, what was killed goes on. ``--page`` only makes the tables and the figure of
docs/reparameterization.md, of what is in --results. Needs ``pip install 'neurorl[torch]'``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neurorl.cli.output import training_progress
from neurorl.errors import NeurorlError, unknown
from neurorl.reproduce.experiments import SEEDS
from neurorl.reproduce.gradients import GRADIENTS, reproduce
from neurorl.reproduce.gradients_page import put_recalls, put_table
from neurorl.reproduce.recall import RECALLS, draw, write_curves
from neurorl.reproduce.run import Plan
from neurorl.training import read_seeds

QUICK_EPISODES = 3


def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each experiment."""
    options = parser().parse_args(arguments)
    try:
        known = (*GRADIENTS, *RECALLS)
        names = [e.name for e in known]
        only = options.only.split(",") if options.only else names
        for name in only:
            if name not in names:
                raise unknown("experiment", name, names)
        base = Path("runs") / ("gradients-quick" if options.quick else "gradients")
        out = options.out or base
        quick = options.quick
        plan = Plan(
            out=out,
            seeds=tuple(read_seeds(options.seeds))
            if options.seeds
            else SEEDS[: 2 if quick else 20],
            episodes=options.episodes or (QUICK_EPISODES if quick else None),
            backend="reference" if quick else None,
            evaluation_episodes=2 if quick else None,
        )
        results = options.results or (out / "results" if quick else Path("results"))
        chosen = [e for e in known if e.name in only and not options.page]
        page = options.docs / "reparameterization.md"
        if not quick:
            _page(page, results)  # what is there; and says at once if there is no page
        with training_progress() as begin:
            reproduce(chosen, plan, results, begin, lambda line: print(line, flush=True))
        write_curves(chosen, plan, results)
        if not quick:
            _page(page, results)
    except NeurorlError as exc:
        print(f"reparameterization: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    return 0


def _page(page: Path, results: Path) -> None:
    put_table(page, results)
    put_recalls(page, results)
    draw(results, page.with_name("recall.png"))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--only", metavar="NAMES", help="experiments, with commas")
    found.add_argument("--seeds", metavar="N..M", help="default 0..19")
    found.add_argument("--episodes", type=int, metavar="N", help="instead of each one's own number")
    found.add_argument("--out", type=Path, metavar="DIR", help="runs (default runs/gradients)")
    found.add_argument("--results", type=Path, metavar="DIR", help="CSV (default results)")
    found.add_argument("--docs", type=Path, default=Path("docs"), metavar="DIR", help="of the page")
    found.add_argument("--page", action="store_true", help="the tables of what is in --results")
    found.add_argument("--quick", action="store_true", help="2 seeds, 3 episodes, under runs/")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
