"""Write the table and the learning curves of the harder tasks, from their CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.any_task import CONTROLS, LINEAR, cell, read
from experiments.harder import HARDER, HARDER_TASKS, CurveRow, HarderRow
from experiments.markup import put_between, table_head, table_row
from experiments.rl_zoo import FIGURES
from experiments.tables import read_table
from neurorl.lab.compare import bootstrap_interval, interquartile_mean
from neurorl.storage.files import import_matplotlib, save_figure

_COLUMNS = {
    "local": "local rule",
    "local-chip": "local rule, chip",
    "gradients": "gradients",
    "gradients-chip": "gradients, chip",
}


def put_page(page: Path, results: Path) -> None:
    """Put table and figure of what is in *results* into the page."""
    table = lines(results)
    if draw(results, page.with_suffix(".png")):
        table += ["", f"![Learning curves over environment steps]({page.stem}.png)"]
    put_between(page, "harder", table)


def lines(results: Path) -> list[str]:
    """Return the table of greedy returns, and what wasn't run."""
    table = table_head(("task", "steps", *_COLUMNS.values(), "linear, no neurons", "published"))
    controls = read(results / "tables" / CONTROLS.name)
    for short, task in HARDER_TASKS.items():
        cells = [_cell(results / "harder" / f"{short}-{column}.csv") for column in _COLUMNS]
        linear = [r.mean_return for r in controls if (r.task, r.learner) == (task.name, LINEAR)]
        cells.append(cell(linear))
        figures = ", ".join(map(str, FIGURES.get(task.name, ())))
        table.append(table_row(task.name, _steps(results, short), *cells, figures))
    left = [e.name for e in HARDER if not (results / "harder" / f"{e.name}.csv").exists()]
    return [*table, "", f"Not run: {', '.join(left)}."] if left else table


def _steps(results: Path, short: str) -> str:
    """Show the steps of training, and those of the first play that chose the agent."""
    files = [results / "harder" / f"{short}-{column}.csv" for column in _COLUMNS]
    rows = [row for file in files if file.exists() for row in read_table(file, HarderRow)]
    first = max((row.first_play_steps for row in rows), default=0)
    return f"{HARDER_TASKS[short].steps:,}" + f" + {first:,}" * bool(first)


def _cell(file: Path) -> str:
    if not file.exists():
        return ""
    greedy = [row.greedy for row in read_table(file, HarderRow)]
    low, high = bootstrap_interval([greedy])
    iqm = f"{interquartile_mean(greedy):.2f} [{low:.2f}, {high:.2f}]"
    return f"{iqm}; {np.mean(greedy):.2f} ({min(greedy):.2f}), {len(greedy)}"


def draw(results: Path, path: Path) -> bool:
    """Draw the curves that are there, a panel for each task; return whether there is one."""
    found = {short: _curves(results, short) for short in HARDER_TASKS}
    found = {short: curves for short, curves in found.items() if curves}
    if not found:
        return False
    import_matplotlib()
    from matplotlib.figure import Figure  # needs no display

    figure = Figure(figsize=(4.2 * len(found), 3.6), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for panel, (short, curves) in zip(panels, found.items(), strict=True):
        _panel(panel, HARDER_TASKS[short].name, curves)
    save_figure(figure, path, dpi=110, metadata={"Software": None})
    return True


def _curves(results: Path, short: str) -> dict[str, Sequence[CurveRow]]:
    files = {c: results / "harder" / "curves" / f"{short}-{c}.csv" for c in _COLUMNS}
    return {c: read_table(file, CurveRow) for c, file in files.items() if file.exists()}


def _panel(panel: Any, title: str, curves: dict[str, Sequence[CurveRow]]) -> None:
    """Draw interquartile means, with their intervals as bands."""
    for k, (column, label) in enumerate(_COLUMNS.items()):
        rows = curves.get(column, ())
        steps = [row.env_steps for row in rows]
        if steps:
            panel.plot(steps, [row.iqm for row in rows], color=f"C{k}", label=label, linewidth=1.6)
            low, high = [row.low for row in rows], [row.high for row in rows]
            panel.fill_between(steps, low, high, color=f"C{k}", alpha=0.2, linewidth=0)
    from matplotlib.ticker import EngFormatter

    panel.xaxis.set_major_formatter(EngFormatter(sep=""))  # 600k
    panel.set(title=title, xlabel="environment steps", ylabel="return, mean of 20 episodes")
    panel.legend(fontsize="x-small", frameon=False, loc="best")
    panel.spines[["top", "right"]].set_visible(False)
