"""Format rules by tasks: one row for each network, rule and arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.catalogue import ARITHMETIC, EXPERIMENTS, TASKS, Experiment
from experiments.markup import span, table_head, table_row
from experiments.tables import Row, summary

_HEAD = """## Rules and tasks

Each cell: **mean** of the greedy figure over seeds (of the worst seed); failures; *learned*, the
median episode; spikes of neurons in one decision. On the gridworld the presets (rule in bold) were
played for 1,000 episodes a seed, other rules for 100. The preset of a task differs from row to row
in nothing but the rule, its rates and the number of episodes; rates of each rule were found by the
same small search, see below. [theory.md](theory.md) has the rules.
"""


def matrix(rows: Mapping[str, Sequence[Row]]) -> list[str]:
    """Format the table of everything in *rows*, rows by experiment."""
    lines = [*_HEAD.split("\n")]
    lines += table_head(["network", "rule", "arithmetic", *(task.env for task in TASKS)])
    for variant in dict.fromkeys(e.variant for e in EXPERIMENTS):
        by_task = {e.task.name: e for e in EXPERIMENTS if e.variant == variant and e.name in rows}
        if by_task:
            first = next(iter(by_task.values()))
            cells = [
                _cell(by_task[task.name], rows[by_task[task.name].name])
                if task.name in by_task
                else ""
                for task in TASKS
            ]
            name = f"**{first.rule}**" if first.is_default else first.rule
            lines.append(table_row(first.label, name, ARITHMETIC[first.arithmetic], *cells))
    return lines


def learned(rows: Sequence[Row]) -> str:
    """Format ``median (least to most), never in n`` of the episodes to the threshold."""
    reached = [row.episodes_to_threshold for row in rows if row.episodes_to_threshold is not None]
    never = len(rows) - len(reached)
    if not reached:
        return f"never in {len(rows)} runs"
    text = f"{np.median(reached):g} ({span(reached)})"
    return text + f", never in {never}" * bool(never)


def _cell(experiment: Experiment, rows: Sequence[Row]) -> str:
    figures = summary(experiment, rows)
    digits = experiment.task.digits
    spikes = float(np.mean([row.spikes_per_decision for row in rows]))
    median = float(np.median([row.episodes_to_threshold or np.inf for row in rows]))
    return "; ".join(
        (
            f"**{figures.mean:.{digits}f}** ({figures.min:.{digits}f})",
            f"{figures.failures} of {figures.seeds}",
            f"{median:g}" if np.isfinite(median) else "never",
            f"{spikes:,.0f}",
        )
    )
