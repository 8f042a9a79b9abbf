"""Draw figures of the comparison from its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.catalogue import TASKS, Task
from experiments.comparison.efficiency import EfficiencyRow, StepPoint
from experiments.comparison.perturbations import PERTURBATIONS
from experiments.comparison.robustness import RecoveryPoint, RecoveryRow
from experiments.tables import read_table
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.storage.files import import_matplotlib, make_folder, save_figure

_COLOURS = {"local": "C0", "gradients": "C3"}
_LABELS = {"local": "local rule", "gradients": "gradients"}
_PRESET = "local rule (preset)"
_MAIN = {_PRESET: "C0", "gradients": "C3"}
# Of other rules, alike in all panels.
_RULES = ("spikes-only-hebbian", "surrogate", "coagent", "agreement", "td-stdp", "reward-stdp")
_OTHERS = dict(zip(_RULES, ("C1", "C2", "C4", "C5", "C6", "C7"), strict=True))


def draw_efficiency(folder: Path, path: Path) -> Path:
    """Draw returns by environment steps: a column for each task, a row for each network.

    Line: mean over seeds of the running mean of 20 episodes; band: its interquartile range.
    """
    rows = read_table(folder / "efficiency.csv", EfficiencyRow)
    names = list(dict.fromkeys(row.experiment for row in rows))
    models = [m for m in ("lif", "glm") if any(f"-{m}" in name for name in names)]
    tasks = [t for t in TASKS if any(name.startswith(f"{t.name}-") for name in names)]
    figure = _figure(4.0 * len(models))
    panels = figure.subplots(len(models), len(tasks), squeeze=False)
    for model, line in zip(models, panels, strict=True):
        for task, panel in zip(tasks, line, strict=True):
            drawn = [n for n in names if n.startswith(f"{task.name}-{model}")]
            if not drawn:
                panel.set_axis_off()
                continue
            _efficiency_panel(panel, task, model, drawn, folder)
    return _saved(figure, path)


def _efficiency_panel(
    panel: Any, task: Task, model: str, names: Sequence[str], folder: Path
) -> None:
    last = 0
    for name in names:
        points = read_table(folder / "curves" / f"{name}.csv", StepPoint)
        what = name.removeprefix(f"{task.name}-{model}").strip("-") or _PRESET
        is_main = what in _MAIN
        style: dict[str, Any] = {"color": _MAIN[what], "linewidth": 1.8} if is_main else {}
        style = style or {"color": _OTHERS.get(what, "C8"), "linewidth": 0.9, "linestyle": "-."}
        steps = [p.env_steps for p in points]
        panel.plot(steps, [p.mean for p in points], label=what, **style)
        if is_main:
            last = max(last, *steps)
            low, high = [p.lower_quartile for p in points], [p.upper_quartile for p in points]
            panel.fill_between(steps, low, high, color=_MAIN[what], alpha=0.2, linewidth=0)
    panel.set_xlim(-0.03 * last, 1.03 * last)
    panel.axhline(task.threshold, linestyle="--", linewidth=1, color="0.4")
    title = f"{task.env}, {model.upper()}"
    panel.set(title=title, xlabel="environment steps", ylabel=f"{task.figure}, mean of 20 episodes")
    _finish(panel)


def draw_robustness(folder: Path, path: Path) -> Path:
    """Draw returns while agents learn on, a panel for each perturbation and arithmetic.

    Solid: weights of the local rule to begin with, dashed: of gradients. Dotted: greedy play of the
    same weights before. Colour: what they learn on by. Running mean of 5 episodes, over seeds.
    """
    points = read_table(folder / "recovery.csv", RecoveryPoint)
    frozen = read_table(folder / "robustness.csv", RecoveryRow)
    panels_of = list(dict.fromkeys((p.task, p.perturbation, p.arithmetic) for p in points))
    columns = 3
    lines = -(-len(panels_of) // columns)
    figure = _figure(3.6 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(panels_of) :]:
        panel.set_axis_off()
    for key, panel in zip(panels_of, panels, strict=False):
        _recovery_panel(
            panel,
            [p for p in points if (p.task, p.perturbation, p.arithmetic) == key],
            [r for r in frozen if (r.task, r.perturbation, r.arithmetic) == key],
        )
    return _saved(figure, path)


def _recovery_panel(
    panel: Any, points: Sequence[RecoveryPoint], rows: Sequence[RecoveryRow]
) -> None:
    first = points[0]
    for start, line in (("local", "-"), ("gradients", "--")):
        for learner, colour in _COLOURS.items():
            curve = [p for p in points if (p.start, p.learner) == (start, learner)]
            if curve:
                label = f"{_LABELS[start]}, then {_LABELS[learner]}"
                means = _smooth([p.mean for p in curve])
                panel.plot([p.episode for p in curve], means, line, color=colour, label=label)
        greedy = [r.greedy for r in rows if (r.start, r.learner) == (start, "none")]
        if greedy:
            level = sum(greedy) / len(greedy)
            colour, label = ("0.0", "local rule, frozen")
            if start == "gradients":
                colour, label = ("0.6", "gradients, frozen")
            panel.axhline(level, linestyle=":", color=colour, label=label)
    (label,) = (
        p.label for p in PERTURBATIONS if (p.task.name, p.name) == (first.task, first.perturbation)
    )
    chip = ", chip" * find_arithmetic(first.arithmetic).is_chip
    panel.set(title=f"{first.task}: {label}{chip}", xlabel="episode of learning on")
    panel.set_ylabel("return")
    panel.title.set_fontsize("medium")
    _finish(panel)


def _smooth(values: Sequence[float], window: int = 5) -> list[float]:
    """Return the mean of each and up to four before it."""
    return [
        sum(values[max(0, k - window + 1) : k + 1]) / min(window, k + 1) for k in range(len(values))
    ]


def _figure(height: float) -> Any:
    import_matplotlib()
    from matplotlib.figure import Figure  # needs no display

    return Figure(figsize=(13.0, height), layout="constrained")


def _finish(panel: Any) -> None:
    panel.legend(fontsize="x-small", frameon=False, loc="best")
    panel.locator_params(axis="x", nbins=5)
    panel.spines[["top", "right"]].set_visible(False)


def _saved(figure: Any, path: Path) -> Path:
    make_folder(path.parent)
    save_figure(figure, path, dpi=110, metadata={"Software": None})
    return path
