"""Make the tables of README.md and docs/figures.md from the files that they name."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments import any_task, controls
from experiments.catalogue import TASKS, Task
from experiments.markup import put_between, read_data, table_head, table_row

_NETWORKS = {
    "LIF, `spikes-only` (ours), float": "lif",
    "LIF, `spikes-only`, chip, 8-bit weights": "lif-chip",
    "GLM, `centred-feedback` (ours), float": "glm",
    "GLM, `agreement` (the papers'), float": "glm-agreement",
    "GLM, `coagent` (the papers'), float": "glm-coagent",
    "LIF, `coagent` (the papers'), float": "lif-coagent",
    "LIF, by gradients, float": "lif-gradients",
    "GLM, by gradients, float": "glm-gradients",
    "LIF, spiking critic, `spikes-only`, float": "lif-spiking-critic",
    "LIF, spiking critic, `spikes-only`, chip": "lif-spiking-critic-chip",
}
_TITLES = {
    "gridworld": "gridworld, optimum 1.121",
    "cartpole": "CartPole-v1, most 500",
    "mountaincar": "MountainCar-v0",
}
_WAYS = ("native", "reference", "cython", "numpy", "naive")
_CASES = (("small", 1), ("large", 1), ("deep", 1), ("small", 16), ("large", 16), ("deep", 16))
_ENGINES = {
    "native": ("native", "cpp", "float"),
    "native, chip arithmetic": ("native", "cpp", "loihi"),
    "loihi": ("loihi", "native", "loihi"),
}
_Rates = dict[tuple[object, ...], Any]


def write_pages(root: Path) -> list[Path]:
    """Put every table into its page of the checkout *root*; return the pages. Raises RunError."""
    for page, blocks in PAGES.items():
        for mark, lines in blocks.items():
            put_between(root / page, mark, lines(root))
    return [root / page for page in PAGES]


def _headline(root: Path) -> list[str]:
    """Return README's table: what is learned, agrees, is lost on the chip, and costs."""
    lines = table_head(("what", "measured", "page"))
    learning, deployment = "[learning](docs/learning.md)", "[deployment](docs/deployment.md)"
    for task in TASKS:
        float_, chip = (
            _returns(root / "results" / f"{task.name}-lif{kind}.csv", task)
            for kind in ("", "-chip")
        )
        what = f"{_TITLES[task.name]}: return in float; in chip integers"
        lines.append(table_row(what, f"{float_}; {chip}", learning))
    what = "the three without neurons (a linear actor-critic on the same cells)"
    lines.append(table_row(what, _without_neurons(root), learning))
    parity = read_data(root / "results" / "chip-parity.json")
    equal = min(parity["equal_windows"].values())
    measured = f"{equal:,} of {parity['windows']:,}, {parity['spikes']:,} spikes"
    what = "windows equal in every bit on native code, Loihi's emulator and the reference"
    lines.append(table_row(what, measured, "[agreement](docs/agreement.md)"))
    with (root / "results" / "deployment.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["experiment"] == "mountaincar-lif"]
    before = np.mean([float(r["described"]) for r in rows])
    described, own = (
        np.mean([float(r["deployed"]) for r in rows if r["noise"] == noise])
        for noise in ("exact", "chip")
    )
    what = (
        "MountainCar-v0, learned in float, played in chip integers: described noise; the chip's own"
    )
    lines.append(table_row(what, f"{before:.1f} to {described:.1f}; {own:.1f}", deployment))
    ratios = _floor_ratios(_rates(root), *_ENGINES["native"])
    what = "environment steps a second over the quicker C program by hand: small; large; deep"
    lines.append(table_row(what, "; ".join(ratios[:3]), "[benchmarks](docs/benchmarks.md)"))
    return lines


def _without_neurons(root: Path) -> str:
    """Return ``mean (worst)`` of the control of each preset."""
    results = any_task.read(root / "results" / "tables" / any_task.CONTROLS.name)
    reached = [(task, controls.returns(results, task.env, any_task.LINEAR)) for task in TASKS]
    cells = (any_task.cell(of, task.digits).rpartition(",")[0] for task, of in reached)
    return "; ".join(cells)


def _returns(file: Path, task: Task) -> str:
    """Return ``mean (worst)`` of the seeds' greedy returns."""
    return _score(file, task).partition(", ")[0]


def _figures(root: Path) -> list[str]:
    lines = table_head(("network, rule, arithmetic", *(_TITLES[task.name] for task in TASKS)))
    for label, variant in _NETWORKS.items():
        cells = [_score(root / "results" / f"{task.name}-{variant}.csv", task) for task in TASKS]
        lines.append(table_row(label, *cells))
    return lines


def _score(file: Path, task: Task) -> str:
    """Return ``mean (worst), median episode, failures``; empty without a file."""
    if not file.exists():
        return ""
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    greedy = [float(row["greedy"]) for row in rows]
    median = float(np.median([float(row["episodes_to_threshold"] or np.inf) for row in rows]))
    learned = f"{median:g}" if np.isfinite(median) else "never"
    failed = sum(value < task.floor for value in greedy)
    worst = f"{min(greedy):.{task.digits}f}"
    return f"{np.mean(greedy):.{task.digits}f} ({worst}), {learned}, {failed}"


def _rates(root: Path) -> _Rates:
    """Return the rows of the benchmarks by size, replicas, backend, engine and arithmetic."""
    return {
        (r["size"], r["replicas"], r["backend"], r["engine"], r["arithmetic"]): r
        for r in read_data(root / "docs" / "benchmarks.json")["rows"]
    }


def _floor_ratios(rows: _Rates, *way: str) -> list[str]:
    """Return the rate over the quicker C program's in each of _CASES, a median over rounds.

    way: backend, engine and arithmetic.
    """
    return [f"{rows[(*case, *way)]['ratio_to_floor']:.2f}" for case in _CASES]


def _benchmarks(root: Path) -> list[str]:
    rows = _rates(root)

    def of_stock(case: tuple[str, int]) -> str:
        ours, stock = (rows.get((*case, "loihi", way, "loihi")) for way in ("native", "stock"))
        if ours is None or stock is None:
            return "-"
        return f"{ours['env_steps_per_s'] / stock['env_steps_per_s']:.1f}"

    titles = [f"{size}, {n} agent{'s' * (n > 1)}" for size, n in _CASES]
    return [
        *table_head(("", *titles)),
        *(table_row(f"{label} / C", *_floor_ratios(rows, *way)) for label, way in _ENGINES.items()),
        table_row("loihi / nengo-loihi's own loops", *(of_stock(case) for case in _CASES)),
    ]


def _step_cost(root: Path) -> list[str]:
    data = read_data(root / "results" / "tables" / "brian2-step.json")
    result = data["result"]
    head = (_busy(data), "native", "reference", "cython", "numpy", "`Network.run`")
    ratios = [f"{result[way] / result['native']:.1f}" for way in _WAYS]
    return [
        *table_head(head),
        table_row("us", *(f"{result[way]:,.0f}" for way in _WAYS)),
        table_row("over native", *ratios),
    ]


def _loop_cost(root: Path) -> list[str]:
    data = read_data(root / "results" / "tables" / "loop.json")
    result = data["result"]
    parts = ("gymnasium", "encode", "window", "choose", "critic", "rule", "loop")
    head = (_busy(data), "Gymnasium's step", "encoder", "window", "action", "critic", "rule", "all")
    return [*table_head(head), table_row("us", *(f"{result[name]:.1f}" for name in parts))]


def _parity(root: Path) -> list[str]:
    data = read_data(root / "results" / "chip-parity.json")
    head = (
        "windows",
        "simulation steps",
        "spikes",
        *(f"equal on {n}" for n in data["equal_windows"]),
    )
    numbers = (data["windows"], data["steps"], data["spikes"], *data["equal_windows"].values())
    return [*table_head(head), table_row(*(f"{n:,}" for n in numbers))]


def _busy(data: Any) -> str:
    """Return a cell that names the machine's load, empty if it was quiet."""
    load = data["load_average"]
    return f"beside other work, load {load:.1f}" if load is not None and load > 1.5 else ""


def _any_task(root: Path) -> list[str]:
    """Return README's table of tasks that nobody tuned."""
    tables = root / "results" / "tables"
    names = (any_task.FILE.name, any_task.BASELINES.name, any_task.CONTROLS.name)
    files = (tables / name for name in names)
    return any_task.short([result for file in files for result in any_task.read(file)])


PAGES: dict[str, dict[str, Callable[[Path], list[str]]]] = {
    "README.md": {"headline": _headline, "any-task": _any_task},
    "docs/figures.md": {
        "figures": _figures,
        "benchmarks": _benchmarks,
        "step-cost": _step_cost,
        "loop-cost": _loop_cost,
        "parity": _parity,
    },
}
"""Map each page, from the root of a checkout, to the texts between its marks."""
