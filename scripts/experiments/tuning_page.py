"""Show how much tuning each network and rule got, from ``results/tuning/*.csv``."""

from __future__ import annotations

from pathlib import Path

from experiments.catalogue import ARITHMETIC, TASKS
from experiments.grids import GRIDS, Grid
from experiments.markup import table_head, table_row
from experiments.tuning import TuningRow, read_tuning

_HEAD = """## Tuning

`python scripts/tune.py`

Every setting that was run for what stands here, on seeds that are never reported; `results/tuning/`
has a row for each. *Others*: means of the settings that were not taken.
"""


def tuning_section(results: Path) -> list[str]:
    """Return the section of the grids that have a table in *results*; nothing if none."""
    rows = []
    for grid in GRIDS:
        file = results / f"{grid.name}.csv"
        if file.exists():
            rows.append(_row(grid, read_tuning(file)))
    if not rows:
        return []
    columns = ["grid", "rule", "arithmetic", "settings", "seeds", "episodes", "taken", "mean"]
    columns += ["min", "failures", "learned", "others"]
    return [*_HEAD.split("\n"), *table_head(columns), *rows]


def _row(grid: Grid, table: list[TuningRow]) -> str:
    (digits,) = (task.digits for task in TASKS if task.name == grid.task)
    taken = next((row for row in table if row.chosen), None)
    others = ", ".join(f"{row.mean:.{digits}f}" for row in table if row is not taken)
    if taken is None:
        first = (grid.name, grid.rule, ARITHMETIC[grid.arithmetic], str(len(table)))
        return table_row(*first, table[0].seeds, str(table[0].episodes), "none", *[""] * 4, others)
    return table_row(
        grid.name,
        grid.rule,
        ARITHMETIC[grid.arithmetic],
        str(len(table)),
        taken.seeds,
        str(taken.episodes),
        f"`{taken.overrides}`",
        f"**{taken.mean:.{digits}f}**",
        f"{taken.min:.{digits}f}",
        str(taken.failures),
        "never" if taken.learned is None else f"{taken.learned:g}",
        others,
    )
