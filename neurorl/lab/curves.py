"""Draw learning curves of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from neurorl.errors import ArgumentError, RunError
from neurorl.lab.compare import quartiles_over_steps, running_mean, runs_in
from neurorl.numerics.arrays import FloatArray
from neurorl.runs.directory import RunDirectory
from neurorl.storage.files import keep_matplotlib_in_our_cache, save_figure

_WINDOW = 20


def plot_runs(runs: Sequence[Path], out: Path, optimum: float | None = None) -> Path:
    """Draw the returns of *runs* to *out* (png, svg or pdf); returns *out*.

    A run is drawn over episodes: each one faint, the mean of the last 20 solid. If *runs* has a
    folder of runs, all are drawn over environment steps, and a folder as the median of its runs
    with a band from their lower to their upper quartile, see
    `neurorl.lab.compare.quartiles_over_steps`. Tasks whose reward comes only at the end
    (all returns equal) are shown by discounted return. optimum: drawn as a dashed line.
    Raises RunError for a run without episodes, ArgumentError for an unknown kind of file.
    """
    keep_matplotlib_in_our_cache()
    from matplotlib.figure import Figure  # needs no display: nothing here opens a window

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    groups = [[_Curve.read(run) for run in runs_in(path)] for path in runs]
    over_steps = any(len(group) > 1 for group in groups)
    for path, group in zip(runs, groups, strict=True):
        if over_steps:
            steps, quartiles = quartiles_over_steps([(c.steps, c.smooth) for c in group])
            label = f"{_plain(str(path))}, {len(group)} seeds" if len(group) > 1 else group[0].label
            (line,) = axes.plot(steps, quartiles[1], linewidth=1.8, label=label)
            axes.fill_between(steps, quartiles[0], quartiles[2], alpha=0.25, color=line.get_color())
        else:
            (line,) = axes.plot(group[0].smooth, linewidth=1.8, label=group[0].label)
            axes.plot(group[0].returns, ".", markersize=2.5, alpha=0.3, color=line.get_color())
    if optimum is not None:
        axes.axhline(optimum, linestyle="--", linewidth=1, color="0.4", label="optimum")
    every = [curve for group in groups for curve in group]
    axes.set_xlabel("environment steps" if over_steps else "episode")
    axes.set_ylabel(" / ".join(sorted({curve.kind for curve in every})))
    axes.set_title(", ".join(sorted({curve.env for curve in every})))
    axes.legend(fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        save_figure(figure, out, dpi=150)
    except RunError as exc:
        raise ArgumentError(str(exc)) from exc
    except ValueError as exc:
        raise ArgumentError(f"plot {out}", "unknown kind of picture", got=exc) from exc
    return out


@dataclass(frozen=True)
class _Curve:
    """Hold a run's returns, the steps at which its episodes ended, and its label."""

    returns: FloatArray
    steps: FloatArray
    kind: str
    env: str
    label: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a run. Raises ArgumentError if it has no episodes."""
        run = RunDirectory(path)
        config, columns = run.read_config(), run.read_episodes()
        is_discounted = bool((config.agent or {}).get("solved_discounted"))
        returns = np.array(columns["discounted_return" if is_discounted else "return"])
        if len(returns) == 0:
            raise ArgumentError(f"run {path}", "has no episodes yet")
        kind = "discounted return" if is_discounted else "return"
        label = _plain(f"{config.model or 'lif'}, {config.backend}, seed {config.seed}")
        return cls(returns, np.array(columns["env_steps"]), kind, _plain(config.env), label)

    @property
    def smooth(self) -> FloatArray:
        """Return the mean of the last 20 episodes at each episode."""
        return running_mean(self.returns, _WINDOW)


def _plain(text: str) -> str:
    """Return *text* so that it is shown as text, not as a formula, cut to the available room."""
    return text[:80].replace("$", r"\$")
