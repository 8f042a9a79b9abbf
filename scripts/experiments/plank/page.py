"""Write the tables of docs/plank.md from the rows that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.markup import put_between, table_head, table_row
from experiments.plank.agents import PlankRow
from experiments.plank.levels import LEVELS

PLAYED = (("float", "float"), ("float", "loihi"), ("xylo", "xylo"))
_WORDS = {
    ("float", "float"): "floats",
    ("float", "loihi"): "learned in floats, Loihi's integers",
    ("xylo", "xylo"): "Xylo's integers",
}


def write_page(rows: Sequence[PlankRow], page: Path) -> Path:
    """Put both tables into the page; returns it."""
    put_between(page, "scores", scores_table(rows))
    put_between(page, "costs", costs_table(rows))
    return page


def scores_table(rows: Sequence[PlankRow]) -> list[str]:
    """Return, for each level, the scores by arithmetic: mean, worst seed, seeds that achieve it."""
    lines = table_head(["level", "asked for", *(_WORDS[key] for key in PLAYED)])
    for level in LEVELS.values():
        cells = [level.name, f"{level.achievement:,}"]
        for learned, played in PLAYED:
            own = _of(rows, level.name, learned, played)
            cells.append(_scores(own, level.achievement) if own else "-")
        lines.append(table_row(*cells))
    return lines


def _scores(own: Sequence[PlankRow], achievement: int) -> str:
    scores = [row.score for row in own]
    reached = sum(score >= achievement for score in scores)
    starts = np.mean([row.published for row in own])
    return (
        f"**{np.mean(scores):,.0f}** ({min(scores):,.0f}), {reached} of {len(scores)} seeds;"
        f" {starts:,.0f}"
    )


def costs_table(rows: Sequence[PlankRow]) -> list[str]:
    """Return NeuroBench's figures, means over seeds."""
    lines = table_head(
        [
            "level",
            "arithmetic",
            "score",
            "footprint, bytes",
            "connection sparsity",
            "activation sparsity",
            "dense",
            "effective MACs",
            "effective ACs",
        ]
    )
    for level in LEVELS.values():
        for learned, played in PLAYED:
            own = _of(rows, level.name, learned, played)
            if own:
                lines.append(table_row(level.name, _WORDS[learned, played], *_costs(own)))
    return lines


def _costs(own: Sequence[PlankRow]) -> list[str]:
    def mean(name: str) -> float:
        return float(np.mean([getattr(row, name) for row in own]))

    return [
        f"{mean('score'):,.0f}",
        f"{mean('footprint'):,.0f}",
        f"{mean('connection_sparsity'):.3f}",
        f"{mean('activation_sparsity'):.3f}",
        *(f"{mean(name):,.0f}" for name in ("dense", "effective_macs", "effective_acs")),
    ]


def _of(rows: Sequence[PlankRow], level: str, learned: str, played: str) -> list[PlankRow]:
    return [r for r in rows if (r.level, r.learned_in, r.played_in) == (level, learned, played)]
