"""Make the page of growth: tables, and where each backend stops being the right choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

REAL_TIME_US = 1000.0
"""Take 1 ms for a simulation step in real time, in us."""

_TITLES = {
    "neurons": "Neurons: one population, a synapse each; us a simulation step",
    "synapses": "Synapses onto 256 neurons; us a simulation step",
    "window": "Length of a window, 256 neurons and 16,384 synapses; us a simulation step",
    "replicas": "Replicas of the small workload; us an environment step and replica, all included",
    "env_steps": "Environment steps of one run of the small workload; peak memory, MiB",
}
_MEMORY = ("neurons", "synapses", "replicas")

_HEAD = """# Growth

{date}, {cpu}, {system}; Python {python}.

`{command}`

![time and memory against neurons, synapses, window, replicas and environment steps](growth.png)

Every point is a process of its own on one core; 3 % of the inputs spike in a step; CPU time.
"""


def markdown(data: dict[str, Any], machine: dict[str, Any], command: str) -> str:
    """Return the page for the result of `benchmarks.growth.grow`; machine: of `report.machine`."""
    lines = [_HEAD.format(command=command, **machine)]
    for axis, title in _TITLES.items():
        key = "peak_mb" if axis == "env_steps" else "us_per_step"
        series = _by_label(data["rows"], axis, key)
        if series:
            lines += [f"## {title}", "", *_table(series), ""]
            lines += [*_verdicts(series, axis), ""] if axis != "env_steps" else []
        if axis in _MEMORY and series:
            lines += [
                "Peak memory, MiB:",
                "",
                *_table(_by_label(data["rows"], axis, "peak_mb")),
                "",
            ]
    if data["notes"]:
        lines += ["Not measured:", "", *(f"- {note}" for note in data["notes"]), ""]
    return "\n".join(lines)


Series = dict[str, dict[int, float]]


def _by_label(rows: Sequence[dict[str, Any]], axis: str, key: str) -> Series:
    series: Series = {}
    for row in rows:
        if row["axis"] == axis:
            label = " ".join(part for part in (row["backend"], row["engine"]) if part)
            series.setdefault(label, {})[int(row["value"])] = float(row[key])
    return series


def _table(by_label: Series) -> list[str]:
    values = sorted({value for series in by_label.values() for value in series})
    lines = ["| | " + " | ".join(f"{v:,}" for v in values) + " |", "|---" * (len(values) + 1) + "|"]
    for label, series in by_label.items():
        cells = [f"{series[v]:.3g}" if v in series else "-" for v in values]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _verdicts(by_label: Series, axis: str) -> list[str]:
    """Say where each backend is the quickest, and from where on it is not in real time."""
    ours = {label: series for label, series in by_label.items() if not label.startswith("c-floor")}
    lines = []
    for label, series in ours.items():
        best = [
            v for v in sorted(series) if series[v] == min(s[v] for s in ours.values() if v in s)
        ]
        parts = [f"quickest at {', '.join(f'{v:,}' for v in best)}"] if best else []
        late = [v for v in sorted(series) if series[v] > REAL_TIME_US]
        if late and axis != "replicas":
            parts.append(f"slower than real time (1 ms a step) from {late[0]:,} on")
        if not best:
            ratios = {v: t / min(s[v] for s in ours.values() if v in s) for v, t in series.items()}
            ends = (min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__))
            low, high = (f"{ratios[v]:.3g} times (at {v:,})" for v in ends)
            parts.append(f"{low} to {high} the quickest")
        lines.append(f"- {label}: {'; '.join(parts)}.")
    return lines
