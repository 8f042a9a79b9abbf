"""Draw time against size, replicas and window, and memory against size and steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorl.storage.files import import_matplotlib, make_folder, save_figure

_PANELS = (
    ("neurons", "us_per_step", "neurons (one synapse each)", "us / simulation step"),
    ("synapses", "us_per_step", "synapses (onto 256 neurons)", "us / simulation step"),
    ("window", "us_per_step", "simulation steps a call", "us / simulation step"),
    ("replicas", "us_per_step", "replicas", "us / env step and replica"),
    ("synapses", "peak_mb", "synapses (onto 256 neurons)", "peak memory, MiB"),
    ("env_steps", "peak_mb", "env steps of one run", "peak memory, MiB"),
)


def draw(data: dict[str, Any], path: Path) -> Path:
    """Draw what `benchmarks.growth.grow` returned as a PNG; returns its path."""
    import_matplotlib()
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(_label(row) for row in data["rows"]))
    figure = Figure(figsize=(12.0, 7.0), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    for panel, (axis, key, across, up) in zip(axes, _PANELS, strict=True):
        for k, label in enumerate(labels):
            rows = [r for r in data["rows"] if (r["axis"], _label(r)) == (axis, label)]
            rows.sort(key=lambda r: float(r["value"]))
            if rows:
                x, y = [r["value"] for r in rows], [r[key] for r in rows]
                panel.plot(x, y, "o-", color=f"C{k}", label=label, markersize=4)
        panel.set(xscale="log", xlabel=across, ylabel=up)
        if key == "peak_mb":
            panel.set_ylim(bottom=0)
        else:
            panel.set_yscale("log")
        panel.grid(alpha=0.3)
    handles = {t: h for a in axes for h, t in zip(*a.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    make_folder(path.parent)
    save_figure(figure, path, dpi=110)
    return path


def _label(row: dict[str, Any]) -> str:
    return f"{row['backend']} {row['engine']}" if row["engine"] else str(row["backend"])
