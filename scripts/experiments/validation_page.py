"""Format the matrix as tables in Markdown, between two marks of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.markup import span, table_head, table_row
from experiments.validation_matrix import MIXED, TRAINED
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.errors import ArgumentError
from neurorl.storage.files import write_bytes

START, END = "<!-- matrix: start -->", "<!-- matrix: end -->"

Rows = Sequence[dict[str, Any]]


def insert(page: Path, text: str, marks: tuple[str, str] = (START, END)) -> None:
    """Put *text* between the marks of *page*. Raises ArgumentError if it has none."""
    try:
        before, start, rest = page.read_text().partition(marks[0])
    except OSError as exc:
        raise ArgumentError(f"page {page}", "can't be read", got=exc.strerror) from exc
    _, end, after = rest.partition(marks[1])
    if not start or not end:
        raise ArgumentError(f"page {page}", "has no marks", limit=" and ".join(marks))
    write_bytes(page, f"{before}{start}\n{text}\n{end}{after}".encode())


def tables(rows: Rows, command: str) -> str:
    """Format a table of each arithmetic, and one across them."""
    parts = [f"`{command}`:"]
    groups = dict.fromkeys(row["group"] for row in rows)
    for group in groups:
        of_group = [row for row in rows if row["group"] == group]
        parts += [
            "",
            *(_across(of_group) if group in (MIXED, TRAINED) else _exact(group, of_group)),
        ]
    return "\n".join(parts)


def _exact(group: str, rows: Rows) -> list[str]:
    first = rows[0]
    others = list(dict.fromkeys(row["backend_b"] for row in rows))
    name = find_arithmetic(group).title
    lines = [
        f"### In {name} arithmetic",
        "",
        f"Against `{first['backend_a']}`, seed {first['seed']}: every spike, membrane, weight, "
        "decision, trace, eligibility and return.",
        "",
        *table_head(["model", "task", "steps", "spikes", "updates", *(f"`{b}`" for b in others)]),
    ]
    for key in dict.fromkeys((row["model"], row["env"]) for row in rows):
        by_backend = {r["backend_b"]: r for r in rows if (r["model"], r["env"]) == key}
        one = next(iter(by_backend.values()))
        counts = (f"{one['steps']:,}", f"{one['spikes']:,}", f"{one['updates']:,}")
        lines.append(table_row(*key, *counts, *(by_backend[b]["verdict"] for b in others)))
    return lines


def _across(rows: Rows) -> list[str]:
    first = rows[0]
    seeds = sorted({row["seed"] for row in rows})
    learned = f", after {first['episodes']} episodes" if first["group"] == TRAINED else ""
    shown = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    columns = ["model", "task", "verdict", "spikes that differ", "rates differ by"]
    columns += ["SPIKE distance", "decisions that agree", "training decides alike for", "causes"]
    lines = [
        f"### Across arithmetics{learned}",
        "",
        f"`{first['backend_a']}` against `{first['backend_b']}`, {shown}, least to most of the "
        "seeds. Spikes that differ: share of both backends' spikes that the other is without; "
        "rates and distances are of the population that differs most.",
        "",
        *table_head(columns),
    ]
    for key in dict.fromkeys((row["model"], row["env"]) for row in rows):
        of_task = [row for row in rows if (row["model"], row["env"]) == key]
        lines.append(
            table_row(
                *key,
                " / ".join(sorted({row["verdict"] for row in of_task})),
                _percent([row["differing_spikes"] / (2 * row["spikes"]) for row in of_task]),
                _percent([row["rate_difference"] for row in of_task]),
                _range([row["spike_distance"] for row in of_task]),
                _percent([row["decision_agreement"] for row in of_task]),
                f"{span([row['equal_until'] for row in of_task])} of {of_task[0]['updates']}",
                ", ".join(sorted({cause for row in of_task for cause in row["causes"]})),
            )
        )
    return lines


def _percent(shares: Sequence[float]) -> str:
    low, high = (f"{100 * share:.2f}" for share in (min(shares), max(shares)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _range(values: Sequence[float]) -> str:
    low, high = (f"{value:.4f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
