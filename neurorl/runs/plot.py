"""Draw learning curves of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neurorl.errors import ArgumentError, RunError
from neurorl.files import keep_matplotlib_in_our_cache, save_figure
from neurorl.network.serialization import FloatArray
from neurorl.runs.directory import RunDirectory

__all__ = ["plot_runs"]

_WINDOW = 20


def plot_runs(runs: Sequence[Path], out: Path, optimum: float | None = None) -> Path:
    """Draw the returns of *runs* over episodes to *out* (png, svg or pdf); returns *out*.

    Faint: every episode; solid: mean of the last 20. Tasks whose reward comes only at the end
    (all returns equal) are shown by discounted return. optimum: a dashed line.
    Raises RunError for a run without episodes, ArgumentError for an unknown kind of file.
    """
    keep_matplotlib_in_our_cache()
    from matplotlib.figure import Figure  # needs no display: nothing here opens a window

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    named = set()
    for path in runs:
        run = RunDirectory(path)
        config = run.read_config()
        columns = run.read_episodes()
        discounted = bool((config.agent or {}).get("solved_discounted"))
        returns = np.array(columns["discounted_return" if discounted else "return"])
        if len(returns) == 0:
            raise ArgumentError(f"run {path}", "has no episodes yet")
        named.add(("discounted return" if discounted else "return", _plain(config.env)))
        label = f"{config.model or 'lif'}, {config.backend}, seed {config.seed}"
        (line,) = axes.plot(_running_mean(returns), linewidth=1.8, label=_plain(label))
        axes.plot(returns, ".", markersize=2.5, alpha=0.3, color=line.get_color())
    if optimum is not None:
        axes.axhline(optimum, linestyle="--", linewidth=1, color="0.4", label="optimum")
    axes.set_xlabel("episode")
    axes.set_ylabel(" / ".join(sorted({kind for kind, _ in named})))
    axes.set_title(", ".join(sorted({env for _, env in named})))
    axes.legend(fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        save_figure(figure, out, dpi=150)
    except RunError as exc:
        raise ArgumentError(str(exc)) from exc
    except ValueError as exc:
        raise ArgumentError(f"plot {out}", "unknown kind of picture", got=exc) from exc
    return out


def _plain(text: str) -> str:
    """Show *text* as it is, not as a formula, and as much as there is room for."""
    return text[:80].replace("$", r"\$")


def _running_mean(x: FloatArray) -> FloatArray:
    total = np.cumsum(np.insert(x, 0, 0.0))
    first = np.maximum(np.arange(1, len(x) + 1) - _WINDOW, 0)
    return np.asarray((total[1:] - total[first]) / (np.arange(1, len(x) + 1) - first))
