"""Draw the learning curves of all experiments as one picture, from their CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.catalogue import EXPERIMENTS, TASKS, Experiment, Task
from experiments.tables import read_curve
from neurorl.storage.files import import_matplotlib, make_folder, save_figure

_ARITHMETIC = {"float": "float", "loihi": "chip arithmetic"}


def draw(results: Path, path: Path) -> Path:
    """Draw ``results/curves/*.csv``, a column for each task, as *path*; returns it.

    Upper row: the presets; lower row: other rules. Line: mean over seeds of the running mean of 100
    episodes; band: its interquartile range.
    """
    import_matplotlib()
    from matplotlib.figure import Figure  # needs no display

    rows = [[e for e in EXPERIMENTS if e.is_default], [e for e in EXPERIMENTS if not e.is_default]]
    rows = [row for row in rows if row]
    figure = Figure(figsize=(12.0, 4.2 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), len(TASKS), squeeze=False)
    for row, experiments in zip(panels, rows, strict=True):
        for panel, task in zip(row, TASKS, strict=True):
            _panel(panel, task, [e for e in experiments if e.task is task], results)
    make_folder(path.parent)
    save_figure(figure, path, dpi=120, metadata={"Software": None})
    return path


def _panel(panel: Any, task: Task, experiments: Sequence[Experiment], results: Path) -> None:
    for k, experiment in enumerate(experiments):
        file = results / "curves" / f"{experiment.name}.csv"
        if not file.exists():
            continue
        points = read_curve(file)
        episodes = [p.episode for p in points]
        means, label = [p.mean for p in points], _label(experiment)
        panel.plot(episodes, means, color=f"C{k}", label=label, linewidth=1.6)
        low, high = [p.lower_quartile for p in points], [p.upper_quartile for p in points]
        panel.fill_between(episodes, low, high, color=f"C{k}", alpha=0.2, linewidth=0)
    panel.axhline(task.threshold, linestyle="--", linewidth=1, color="0.4", label="threshold")
    panel.set(title=task.env, xlabel="episode", ylabel=f"{task.figure}, mean of 100 episodes")
    panel.legend(fontsize="x-small", frameon=False, loc="best")
    panel.spines[["top", "right"]].set_visible(False)


def _label(experiment: Experiment) -> str:
    how = _ARITHMETIC[experiment.arithmetic] if experiment.is_default else experiment.rule
    return f"{experiment.label}, {how}"
