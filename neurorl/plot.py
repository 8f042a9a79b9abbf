"""Draw what was recorded, as Matplotlib figures; nothing is written or opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurorl.backends.recording import Records
from neurorl.errors import ArgumentError
from neurorl.lab.compare import plot_runs
from neurorl.numerics.arrays import Array
from neurorl.storage.files import import_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_runs", "raster", "traces", "weights"]

_MOST_LINES = 20


def raster(records: Records, names: Sequence[str] | None = None) -> Figure:
    """Draw recorded spikes, a dot each, one panel a node.

    names: of these; None for all ``NODE.spikes``. Raises ArgumentError if there are none.
    """
    figure, panels = _panels(records, _chosen(records, names, (".spikes",)))
    for axes, name in panels:
        rows, neurons = np.nonzero(records[name])
        axes.plot(records.times(name)[rows], neurons, "|", color="black", markersize=3)
        axes.set_ylim(-0.5, records[name].shape[1] - 0.5)
        axes.set_ylabel(f"neuron of\n{name.partition('.')[0]}")
    return figure


def traces(
    records: Records, names: Sequence[str] | None = None, neurons: Sequence[int] | None = None
) -> Figure:
    """Draw recorded variables and signals over time, a line for each neuron, one panel a name.

    names: None for all but spikes, weights and eligibilities. neurons: None for the first 20.
    Raises ArgumentError for a neuron that isn't there.
    """
    figure, panels = _panels(records, _chosen(records, names, None))
    for axes, name in panels:
        values = _rows(records[name])
        chosen = range(min(_MOST_LINES, values.shape[1])) if neurons is None else neurons
        for k in chosen:
            if not 0 <= k < values.shape[1]:
                limit = f"0 to {values.shape[1] - 1}"
                raise ArgumentError(f"plot of {name!r}", "no such neuron", got=k, limit=limit)
            axes.plot(records.times(name), values[:, k], linewidth=1, label=str(k))
        axes.set_ylabel(name.replace(".", "\n"))
        if 1 < len(chosen) <= 5:
            axes.legend(loc="upper right", fontsize="small", frameon=False, title="neuron")
    return figure


def weights(records: Records, names: Sequence[str] | None = None) -> Figure:
    """Draw recorded weights or eligibilities: a line a synapse, and their mean, one panel a name.

    names: None for all weights and eligibilities.
    """
    figure, panels = _panels(records, _chosen(records, names, (".weights", ".eligibility")))
    for axes, name in panels:
        values = _rows(records[name])
        axes.plot(records.times(name), values[:, :500], linewidth=0.5, alpha=0.4, color="0.5")
        axes.plot(records.times(name), values.mean(axis=1), color="black", label="mean")
        axes.set_ylabel(name.replace(".", "\n"))
        axes.legend(loc="upper right", fontsize="small", frameon=False)
    return figure


def _chosen(
    records: Records, names: Sequence[str] | None, endings: tuple[str, ...] | None
) -> list[str]:
    """Return *names*, or all with one of these endings; with None, those that are neither."""
    if names is None:
        wanted = endings or (".spikes", ".weights", ".eligibility", "policy")
        named = (name for name in records.names if name.endswith(wanted) == bool(endings))
    chosen = list(named if names is None else names)
    if not chosen:
        limit = ", ".join(records.names)
        raise ArgumentError("plot", "nothing recorded to draw", limit=limit)
    return chosen


def _rows(values: Array) -> Array:
    return values.reshape(len(values), math.prod(values.shape[1:]))


def _panels(records: Records, names: Sequence[str]) -> tuple[Figure, list[tuple[Any, str]]]:
    """Return a figure with a panel for each name, one below the other."""
    import_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 0.8 + 1.6 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(records.axis)
    return figure, list(zip(panels, names, strict=True))
