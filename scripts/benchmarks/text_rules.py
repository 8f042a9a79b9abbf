"""Measure a rule given as text against the built-in one of the same shape.

``python scripts/benchmarks/text_rules.py [--rules agreement,reward-stdp] [--rounds 15]``:
two agents of the same seed learn CartPole-v1 in turns, one by the built-in kernel, one by a copy of
its text under another name, compiled as a user's is. They make the same steps, bit for bit,
so their times are of the same work. Prints CPU us a step, medians over rounds with the range, and
the median of the rounds' ratios. Exit status 1 if the text is more than 10 % slower.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import Any

from neurorl import SpikingActorCritic
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status
from neurorl.rules import Rule, find_rule

EPISODES, MOST = 10, 1.10
KINDS = ("built-in", "text")
STDP = {"normalises": False, "alpha_output": 1e-3, "alpha_hidden": 1e-3}


def measured(name: str, rounds: int) -> list[dict[str, float]]:
    """Return CPU us a step of each kind, by round; the first round, of what loads, is left out."""
    built_in = find_rule(name)
    model = "glm" if built_in.needs_probability else "lif"
    extra: dict[str, Any] = {} if "stdp" not in name else STDP
    rules: tuple[str | Rule, ...] = (name, replace(built_in, name="copy"))
    agents = {
        kind: SpikingActorCritic("CartPole-v1", model=model, rule=rule, seed=1, **extra)
        for kind, rule in zip(KINDS, rules, strict=True)
    }
    figures = []
    for k in range(rounds + 1):
        one: dict[str, float] = {}
        lengths: set[int] = set()
        for kind in KINDS[:: 1 if k % 2 else -1]:
            began = time.process_time()
            steps = sum(
                episode.length for episode in agents[kind].learn(total_episodes=EPISODES * (k + 1))
            )
            one[kind] = 1e6 * (time.process_time() - began) / steps
            lengths.add(steps)
        if len(lengths) > 1:
            raise AssertionError(f"{name}: the text learns something else")
        figures += [one] * (k > 0)
    for agent in agents.values():
        agent.close()
    return figures


def row(name: str, figures: list[dict[str, float]]) -> tuple[list[str], float]:
    """Return a row of the table, and the median ratio."""
    cells = [name]
    for kind in KINDS:
        values = [one[kind] for one in figures]
        cells.append(f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})")
    ratio = statistics.median(one["text"] / one["built-in"] for one in figures)
    return [*cells, f"{ratio:.3f}"], ratio


@exit_status("text_rules")
def main(arguments: list[str] | None = None) -> int:
    """Measure each rule; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", default="agreement,surrogate,reward-stdp", metavar="A,B")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    options = parser.parse_args(arguments)
    rows = [row(name, measured(name, options.rounds)) for name in options.rules.split(",")]
    print_table(("rule", "built-in, us a step", "text", "ratio"), [cells for cells, _ in rows])
    return int(any(ratio > MOST for _, ratio in rows))


if __name__ == "__main__":
    raise SystemExit(main())
