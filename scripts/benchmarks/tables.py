"""Format as Markdown what the scripts of single costs measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OURS = "neurorl"
"""Name this library as `neurorl.bench.training.contenders` does, which needs PyTorch."""


def pes_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each network of ``scripts/bench_pes.py``."""
    lines = [
        "| network of | synapses | ours, ms | nengo-loihi's, ms | ratio |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        ours, own = row["ours_ms"], row["own_ms"]
        cells = (row["network"], str(row["synapses"]), f"{ours:.2f}", f"{own:.1f}")
        lines.append("| " + " | ".join([*cells, f"{own / ours:.0f}"]) + " |")
    return lines


def training_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each case of ``scripts/bench_training.py``: multiples of our time."""
    others = [name for name in dict.fromkeys(r["name"] for r in rows) if name != OURS]
    lines = ["| network | ms | " + " | ".join(others) + " |", "|---" * (2 + len(others)) + "|"]
    for name in dict.fromkeys(r["case"] for r in rows):
        by_name = {r["name"]: r for r in rows if r["case"] == name}
        cells = [f"{name}: {by_name[OURS]['shape']}", f"{by_name[OURS]['ms']:.3g}"]
        cells += [_times(by_name[other]) for other in others]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _times(row: dict[str, Any]) -> str:
    return f"{row['ratio']:.2f} ({row['ratio_min']:.2f}-{row['ratio_max']:.2f})"
