"""Learning curves of all experiments as one picture, drawn from their CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorl.files import keep_matplotlib_in_our_cache
from neurorl.reproduce.experiments import EXPERIMENTS, TASKS, Task
from neurorl.reproduce.tables import read_curve

__all__ = ["draw"]

_ARITHMETIC = {"float": "float", "loihi": "chip arithmetic"}


def draw(results: Path, path: Path) -> Path:
    """Draw ``results/curves/*.csv``, a panel for each task, as *path*; returns it.

    Line: mean over seeds of the running mean of 100 episodes; band: its interquartile range.
    """
    keep_matplotlib_in_our_cache()
    from matplotlib.figure import Figure  # needs no display

    figure = Figure(figsize=(12.0, 4.2), layout="constrained")
    for panel, task in zip(figure.subplots(1, len(TASKS)), TASKS, strict=True):
        _panel(panel, task, results)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    return path


def _panel(panel: Any, task: Task, results: Path) -> None:
    for k, experiment in enumerate(e for e in EXPERIMENTS if e.task is task):
        file = results / "curves" / f"{experiment.name}.csv"
        if not file.exists():
            continue
        points = read_curve(file)
        episodes = [p.episode for p in points]
        label = f"{experiment.label}, {_ARITHMETIC[experiment.arithmetic]}"
        panel.plot(episodes, [p.mean for p in points], color=f"C{k}", label=label, linewidth=1.6)
        low, high = [p.lower_quartile for p in points], [p.upper_quartile for p in points]
        panel.fill_between(episodes, low, high, color=f"C{k}", alpha=0.25, linewidth=0)
    panel.axhline(task.threshold, linestyle="--", linewidth=1, color="0.4", label="threshold")
    panel.set(title=task.env, xlabel="episode", ylabel=f"{task.figure}, mean of 100 episodes")
    panel.legend(fontsize="small", frameon=False, loc="lower right")
    panel.spines[["top", "right"]].set_visible(False)
