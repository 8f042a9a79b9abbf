"""Train on the four levels of Plank's CartPole, and write what each agent scores and costs.

    python scripts/plank.py                  results/tables/plank.csv and docs/plank.md
    python scripts/plank.py --levels easy hard --seeds 0..4
    python scripts/plank.py --page           the page anew from the rows that are there
    python scripts/plank.py --neurobench     our counts beside NeuroBench's own (which it needs)
    python scripts/plank.py --quick          seconds; a file in runs/plank-quick

Rows of other levels and seeds stay as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium as gym

from experiments.plank.agents import PlankRow, rows_of, trained
from experiments.plank.levels import LEVELS
from experiments.plank.neurobench import neurobench_figures, our_figures, windows
from experiments.plank.page import write_page
from experiments.tables import read_table, write_table
from neurorl.cli.status import exit_status
from neurorl.runs.training import read_seeds

ROOT = Path(__file__).parents[1]
DECISIONS = 200
"""Replay so many decisions for NeuroBench."""


@exit_status("plank")
def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for, and print a line for each row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--seeds", type=read_seeds, default=range(5), metavar="N..M")
    parser.add_argument("--episodes", type=int, default=3, help="of play, of 15,000 steps")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--neurobench", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.neurobench:
        return compared(options.levels, next(iter(options.seeds)), options.quick)
    base = Path("runs/plank-quick") if options.quick else ROOT
    file = base / "results" / "tables" / "plank.csv"
    rows = read_table(file, PlankRow) if file.exists() else []
    for name in options.levels if not options.page else ():
        for seed in options.seeds:
            rows = [r for r in rows if (r.level, r.seed) != (name, seed)]
            for row in rows_of(LEVELS[name], seed, options.episodes, options.quick):
                print(f"{name}, seed {seed}, {row.played_in}: {row.score:,.0f} ({row.least:,.0f})")
                rows.append(row)
            rows.sort(key=lambda r: (list(LEVELS).index(r.level), r.seed, r.played_in))
            write_table(file, rows)
    if not options.quick:
        print(write_page(rows, ROOT / "docs" / "plank.md"))
    return 0


def compared(levels: list[str], seed: int, quick: bool) -> int:
    """Print our figures beside NeuroBench's; return 1 if one differs by more than 1 in 10**6."""
    wrong = 0
    for name in levels:
        for arithmetic in ("float", "xylo"):
            agent = trained(LEVELS[name], arithmetic, seed, 5 if quick else None)
            env = gym.make(LEVELS[name].env)
            played = list(windows(agent, env, arithmetic, 10 if quick else DECISIONS))
            ours, theirs = our_figures(played, agent.config.window), neurobench_figures(played)
            for key, value in theirs.items():
                is_equal = abs(ours[key] - value) <= 1e-6 * max(1.0, abs(value))
                wrong += not is_equal
                said = "equal" if is_equal else "DIFFERS"
                print(
                    f"{name}, {arithmetic}, {key}: {ours[key]:.6g}, NeuroBench {value:.6g}: {said}"
                )
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
