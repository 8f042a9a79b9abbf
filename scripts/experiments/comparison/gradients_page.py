"""Make the table and figure of bias and noise along training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import TASKS
from experiments.comparison.quality import ALL, QualityRow
from experiments.markup import table_head, table_row
from experiments.tables import read_table
from neurorl.storage.files import import_matplotlib, make_folder, save_figure

Key = tuple[str, int]
"""Combine the name of an approach with a point of its runs."""

_LINES = {
    "spikes-only": "C0",
    "centred-feedback": "C9",
    "surrogate": "C2",
    "coagent": "C1",
    "concrete, tau 1": "C3",
    "slope": "C6",
    "score function": "0.4",
}
_STYLES = {"local": ("-", "o", "local rule"), "gradients": ("--", "s", "gradients")}
_PANELS = (
    ("hidden", "cosine"),
    ("output", "cosine"),
    ("hidden", "noise"),
    ("output", "noise"),
)
_SURE = 0.2
"""Call a cosine unknown if its standard error is above this."""

_DRAWN = "lif"  # its networks have hidden layers
_LABELS = {"cosine": "cosine with the exact gradient", "noise": "noise of one decision"}


def gradient_table(rows: Sequence[QualityRow]) -> list[str]:
    """Format each estimator: before training, after the local rule's, and after gradients'.

    Medians over seeds; cosine, noise and decisions by layer.
    """
    head = ["task", "network", "estimator"]
    columns = [(layer, figure) for layer in ("hidden", "output") for figure in _CELLS]
    columns.append((ALL, "cosine"))
    lines = table_head([*head, *(f"{layer}: {_CELLS[name][0]}" for layer, name in columns)])
    for task, model, of_network in _networks(rows):
        keys = _ends(of_network)
        for estimator in dict.fromkeys(row.estimator for row in of_network):
            cells = [
                ", ".join(_cell(_of(of_network, estimator, layer, key), figure) for key in keys)
                for layer, figure in columns
            ]
            lines.append(table_row(task, model.upper(), estimator, *cells))
    return lines


def draw_gradients(table: Path, path: Path) -> Path:
    """Plot cosine and noise of the LIF networks by per cent of the run, a column for each task.

    Lines: medians over seeds; solid of runs by the local rule, dashed of those by gradients.
    """
    import_matplotlib()
    from matplotlib.figure import Figure  # needs no display

    rows = [row for row in read_table(table, QualityRow) if row.model == _DRAWN]
    figure = Figure(figsize=(13.0, 13.0), layout="constrained")
    panels = figure.subplots(len(_PANELS), len(TASKS), squeeze=False)
    for (layer, name), line in zip(_PANELS, panels, strict=True):
        for task, panel in zip(TASKS, line, strict=True):
            of_layer = [row for row in rows if (row.task, row.layer) == (task.name, layer)]
            if of_layer:
                _panel(panel, of_layer, name)
            panel.set(title=f"{task.env}, {layer} layer", xlabel="per cent of the run's episodes")
            panel.set(ylabel=_LABELS[name])
            panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    make_folder(path.parent)
    save_figure(figure, path, dpi=100, metadata={"Software": None})
    return path


def _panel(panel: Any, rows: Sequence[QualityRow], name: str) -> None:
    for estimator, colour in _LINES.items():
        for approach, (line, marker, label) in _STYLES.items():
            of_estimator = [
                row for row in rows if (row.estimator, row.approach) == (estimator, approach)
            ]
            points = sorted({row.point for row in of_estimator})
            values = [
                _middle([r for r in of_estimator if r.point == point], name) for point in points
            ]
            y = [np.nan if value is None else value for value in values]
            style = {"color": colour, "marker": marker, "markersize": 3, "linewidth": 1.3}
            panel.plot(points, y, line, label=f"{estimator}; runs by {label}", **style)
    if name == "cosine":
        panel.set_ylim(0.0, 1.05)
    else:
        panel.set_yscale("log")
    panel.set_xticks(sorted({row.point for row in rows}))


def _networks(rows: Sequence[QualityRow]) -> Iterator[tuple[str, str, list[QualityRow]]]:
    for task, model in dict.fromkeys((row.task, row.model) for row in rows):
        yield task, model, [row for row in rows if (row.task, row.model) == (task, model)]


def _ends(rows: Sequence[QualityRow]) -> list[Key]:
    """Return the points before training, and at its end by each approach."""
    approaches = list(dict.fromkeys(row.approach for row in rows))
    last = max(row.point for row in rows)
    return [(approaches[0], 0), *((approach, last) for approach in approaches)]


def _of(rows: Sequence[QualityRow], estimator: str, layer: str, key: Key) -> list[QualityRow]:
    wanted = (estimator, layer, *key)
    return [r for r in rows if (r.estimator, r.layer, r.approach, r.point) == wanted]


def _cell(rows: Sequence[QualityRow], figure: str) -> str:
    middle = _middle(rows, figure)
    return "-" if middle is None else _CELLS[figure][1](middle)


def _middle(rows: Sequence[QualityRow], figure: str) -> float | None:
    """Return the median over seeds in which a figure is known, if these are most."""
    known = [row for row in rows if _is_sure(row)] if figure != "noise" else rows
    if figure == "to_half":
        values = [np.inf if row.to_half is None else row.to_half for row in known]
    else:
        values = [x for row in known if (x := getattr(row, figure)) is not None]
    return float(np.median(values)) if 2 * len(values) > len(rows) else None


def _is_sure(row: QualityRow) -> bool:
    return row.cosine is not None and row.error is not None and row.error <= _SURE


def _rounded(x: float) -> str:
    """Round to two digits that count; with thousands as k, millions as M."""
    if not np.isfinite(x):
        return "never"
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if x >= 0.995 * unit:
            return f"{float(f'{x / unit:.2g}'):g}{letter}"
    return f"{float(f'{x:.2g}'):g}"


def _cosine(x: float) -> str:
    """Format a cosine, of which an estimate may be above 1."""
    return f"{min(x, 1.0):.2f}"


_CELLS: dict[str, tuple[str, Callable[[float], str]]] = {
    "cosine": ("cosine", _cosine),
    "noise": ("noise", _rounded),
    "to_half": ("decisions", _rounded),
}
"""Map each figure to its heading in the table and the function that formats it."""
