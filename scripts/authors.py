"""Put the public programs of arXiv:1910.06489 beside agents of this library, on their tasks.

    python scripts/authors.py [--only cartpole] [--seeds 20] [--episodes N] [--page]

What is done is in docs/authors.json and isn't run again; the table is in docs/witnesses.md. --page
only writes the table.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from experiments.authors import PROGRAMS, Program, run
from neurorl import SpikingActorCritic

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "docs" / "authors.json", ROOT / "docs" / "witnesses.md"
START, END = "<!-- authors: start -->\n", "<!-- authors: end -->"
LAST = 20
THEIRS: dict[str, dict[str, Any]] = {
    "gridworld": {"rule": "agreement", "critic": "optimistic", "critic.initial_value": 0.5},
    "cartpole": {"rule": "authors-cartpole"},
    "mountaincar": {"rule": "authors-mountaincar"},
}
"""Name the rules of the programs as they are here."""


def main(arguments: list[str] | None = None) -> int:
    """Run what isn't there, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PROGRAMS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--episodes", type=int, help="of each, for a try; nothing is kept")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args(arguments)
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    for name, program in PROGRAMS.items():
        if options.page or options.only not in (None, name):
            continue
        for who in ("program", "preset", "rule"):
            figures = data.setdefault(name, {}).setdefault(who, [])
            for seed in range(len(figures), options.seeds):
                figures.append(figure(name, program, who, seed, options.episodes))
                print(name, who, seed, figures[-1], flush=True)
                if options.episodes is None:
                    DATA.write_text(json.dumps(data, indent=1) + "\n")
    if options.episodes is None:
        before, _, rest = PAGE.read_text().partition(START)
        PAGE.write_text(f"{before}{START}{table(data)}{END}{rest.partition(END)[2]}")
    return 0


def figure(name: str, program: Program, who: str, seed: int, episodes: int | None) -> float:
    """Return the mean return of the last episodes of training."""
    n = program.episodes if episodes is None else episodes
    if who == "program":
        returns = run(program, seed, n)
    else:
        chosen: dict[str, Any] = {}
        if who == "rule":
            chosen = {"model": "glm", "policy": "epsilon-greedy", "policy.epsilon": program.epsilon}
            chosen |= THEIRS[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            agent = SpikingActorCritic(program.env, seed=seed, **chosen)
            played = agent.learn(total_episodes=n)
        returns = [e.ret if program.discount == 1.0 else _discounted(e, program) for e in played]
    return round(float(np.mean(returns[-LAST:])), 4)


def _discounted(episode: Any, program: Program) -> float:
    """Return the discounted return of the gridworld, whose only reward is the last one."""
    return float(episode.ret * program.discount ** (episode.length - 1))


def table(data: dict[str, Any]) -> str:
    """Format medians, with the least and the largest of all seeds."""
    lines = [
        "| task | episodes | their program | its rule by name | ours by default | seeds |\n",
        "|---|---|---|---|---|---|\n",
    ]
    for name, figures in data.items():
        cells = []
        for who in ("program", "rule", "preset"):
            values = figures.get(who, [])
            low, middle, high = np.quantile(values, (0, 0.5, 1)) if values else [np.nan] * 3
            part = f", {len(values)} seeds" if len(values) < 20 else ""
            cells.append(f"{middle:.4g} ({low:.4g} to {high:.4g}{part})" if values else "")
        program, seeds = PROGRAMS[name], max(len(v) for v in figures.values())
        lines.append(f"| `{program.env}` | {program.episodes} | {' | '.join(cells)} | {seeds} |\n")
    return "".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
