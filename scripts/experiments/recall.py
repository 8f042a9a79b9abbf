"""Compare networks with and without memory, on CartPole without velocities.

By gradients and by the local rule, with the same cells, neurons and critic. Those that remember
nothing have shorter episodes, and get so many of them that they take as many environment steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.catalogue import POSITION_ONLY
from experiments.comparison.efficiency import SHORT, StepPoint, read_trained, step_curve
from experiments.gradients import GradientExperiment
from experiments.run import Plan, run_path
from experiments.tables import read_table, write_table
from neurorl.storage.files import import_matplotlib, make_folder, save_figure

_NAME = f"{POSITION_ONLY.name}-lif-gradients"


def _by_gradients(name: str, episodes: int, overrides: dict[str, Any]) -> GradientExperiment:
    return GradientExperiment(
        name,
        POSITION_ONLY,
        "lif",
        "float",
        episodes,
        overrides=overrides,
        gradient={"rate_episodes": episodes},
    )


RECALLS = (
    _by_gradients(_NAME, 1400, {}),
    _by_gradients(f"{_NAME}-recurrent", 2500, {"input_recalls": (), "hidden_recalls": (2,)}),
    _by_gradients(f"{_NAME}-memoryless", 8500, {"carries": False}),
    GradientExperiment(
        f"{POSITION_ONLY.name}-lif-local", POSITION_ONLY, "lif", "float", 1600, "local"
    ),
)
_INPUT, _SPIKES, _NOTHING = "input, 2 decisions ago", "own spikes, 2 decisions ago", "nothing"
_REMEMBERED = (_INPUT, _SPIKES, _NOTHING, _INPUT)
REMEMBERED = {e.name: what for e, what in zip(RECALLS, _REMEMBERED, strict=True)}
"""Map each experiment to what its hidden units know of the past."""
LEARNED_BY = {"reparameterization": "gradients", "local": "local rule"}


def write_curves(
    experiments: Sequence[GradientExperiment], plan: Plan, results: Path
) -> list[Path]:
    """Write ``results/curves/NAME.csv`` of those of `RECALLS`, which are trained; their paths."""
    written = []
    for e in experiments:
        if e in RECALLS:
            paths = [run_path(plan, e.name, seed) for seed in plan.seeds]
            points = step_curve([read_trained(e.task, path) for path in paths])
            written.append(write_table(results / "curves" / f"{e.name}.csv", points))
    return written


def draw(results: Path, path: Path) -> Path:
    """Draw the curves that are in ``results/curves`` as *path*; returns it.

    Line: mean over seeds of the running mean of 20 episodes; band: its interquartile range.
    """
    import_matplotlib()
    from matplotlib.figure import Figure  # needs no display

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    panel = figure.subplots()
    for k, experiment in enumerate(RECALLS):
        file = results / "curves" / f"{experiment.name}.csv"
        if file.exists():
            label = f"{LEARNED_BY[experiment.approach]}: {REMEMBERED[experiment.name]}"
            _line(panel, read_table(file, StepPoint), f"C{k}", label)
    threshold = POSITION_ONLY.threshold
    panel.axhline(threshold, linestyle="--", linewidth=1, color="0.4", label="threshold")
    ylabel = f"return, mean of {SHORT} episodes"
    panel.set(title=POSITION_ONLY.env, xlabel="environment steps", ylabel=ylabel)
    panel.legend(fontsize="small", frameon=False, loc="center right")
    panel.spines[["top", "right"]].set_visible(False)
    make_folder(path.parent)
    save_figure(figure, path, dpi=120, metadata={"Software": None})
    return path


def _line(panel: Any, points: Sequence[StepPoint], color: str, label: str) -> None:
    steps, mean, low, high = zip(*(dataclasses.astuple(p) for p in points), strict=True)
    panel.plot(steps, mean, color=color, label=label, linewidth=1.6)
    panel.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
