"""Run what was tried before presets and rates were settled: results/tuning/*.csv.

    python scripts/tune.py [--only mountaincar,cartpole-glm-coagent] [--quick]

Each grid of settings of `experiments.grids` is run on its tuning seeds, none of which is
reported. Runs stay in --out: what is complete there isn't run again, what was killed goes on.
`scripts/reproduce.py` makes a table of them in docs/learning.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.options import names_of, training_progress
from experiments.tuning import chosen_grids, tune
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status


@exit_status("tune", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run, write, and print a line for each setting."""
    options = parser().parse_args(arguments)
    name = "tune-quick" if options.quick else "tune"
    out = Path(options.out or Path("runs") / name)
    results = options.results or (out / "results" if options.quick else Path("results") / "tuning")
    with training_progress() as begin:
        for grid in chosen_grids(names_of(options)):
            show(str(tune(grid, out, results, begin, show, options.quick)))
    return 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--only", metavar="NAMES", help="grids or tasks, with commas")
    result.add_argument("--out", type=Path, metavar="DIR", help="runs (default runs/tune)")
    result.add_argument("--results", type=Path, metavar="DIR", help="CSV (default results/tuning)")
    result.add_argument(
        "--quick", action="store_true", help="2 seeds, 2 episodes, reference; in runs/tune-quick"
    )
    return result


if __name__ == "__main__":
    raise SystemExit(main())
