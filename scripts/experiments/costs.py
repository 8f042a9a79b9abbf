"""Make tables of costs from the JSON that the ``bench_*.py`` scripts write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.tables import OURS, pes_table, training_table
from experiments.markup import read_data
from experiments.smaller import Smaller
from neurorl.errors import RunError

_SCRIPTS = Path(__file__).parents[2] / "scripts"


def _run(script: str, out: Path, *options: str) -> list[Path]:
    """Let ``scripts/SCRIPT.py`` measure, in a process of its own. Raises RunError."""
    command = [sys.executable, str(_SCRIPTS / f"{script}.py"), *options, "--out", str(out)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RunError(f"scripts/{script}.py", "failed", got=f"status {done.returncode}")
    return [out]


def _measure_pes(results: Path, is_quick: bool) -> list[Path]:
    return _run("bench_pes", results / "pes-cost.json", "--rounds", "1" if is_quick else "5")


def _pes_lines(results: Path) -> dict[str, list[str]]:
    data = read_data(results / "pes-cost.json")
    return {"pes-cost": [*pes_table(data["result"]), "", _where(data)]}


def _measure_training(results: Path, is_quick: bool) -> list[Path]:
    out = results / "training-cost.json"
    if is_quick:
        options = ("--rounds", "1", "--seconds", "0.01", "--cases", "lif, batch 64")
        return _run("bench_training", out, *options, "--peers", "pytorch")
    return _run("bench_training", out, "--rounds", "3", "--seconds", "0.2", "--loop")


def _training_lines(results: Path) -> dict[str, list[str]]:
    data = read_data(results / "training-cost.json")
    rows = data["result"]["rows"]
    lines = [*training_table(rows), "", _where(data), "", *_ranges(rows)]
    loop = data["result"]["loop"]
    if loop is not None:
        rate, share = loop["env_steps_per_s"], loop["update_share"]
        text = (
            f"- The whole training of the CartPole preset: {rate:,.0f} environment steps a second"
        )
        lines.append(f"{text}, of which updates take {100 * share:.0f} %.")
    return {"training": lines}


def _ranges(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each library: least and most of the medians of its cases."""
    lines = []
    for name in dict.fromkeys(row["name"] for row in rows if row["name"] != OURS):
        parts = []
        for what, wanted in (("updates", False), ("rollouts", True)):
            of_library = [r for r in rows if r["name"] == name]
            ratios = [r["ratio"] for r in of_library if r["case"].startswith("rollout") == wanted]
            if ratios:
                parts.append(f"{what} {min(ratios):.2f} to {max(ratios):.2f}")
        lines.append(f"- {name}: {', '.join(parts)}")
    return lines


def _measure_steps(results: Path, is_quick: bool) -> list[Path]:
    rounds = ("--rounds", "1" if is_quick else "7")
    return [
        *_run("bench_brian2_step", results / "brian2-step.json", *rounds),
        *_run("bench_loop", results / "loop.json", *rounds),
    ]


def _where(data: Any) -> str:
    """Say how and where it was measured, in a line."""
    machine = data["machine"]
    packages = ("brian2", "nengo-loihi", "norse", "numpy", "snntorch", "spikingjelly", "torch")
    versions = [f"{p} {machine['packages'][p]}" for p in packages if p in machine["packages"]]
    busy = f"load average {data['load_average']} when it was over"
    return f"{machine['date']}, {machine['cpu']}, {busy}; {', '.join(versions)}."


COSTS: dict[str, Smaller] = {
    "pes-cost": Smaller("loihi.md", _measure_pes, _pes_lines),
    "step-cost": Smaller("figures.md", _measure_steps, lambda results: {}),
    "training-cost": Smaller("reparameterization.md", _measure_training, _training_lines),
}
