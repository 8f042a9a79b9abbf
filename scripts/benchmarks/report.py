"""Measure the whole matrix; write it as JSON and a page: docs/benchmarks.json and .md."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS, candidates
from neurorl.backends.spec import BackendSpec
from neurorl.bench.candidates import Candidate, everything
from neurorl.bench.command import COLUMNS, Plan, Report, cells, processor
from neurorl.bench.floor import FLAGS, compiler
from neurorl.bench.workload import DEEP, PRESETS, SIZES
from neurorl.storage.files import make_folder, write_bytes, write_json

_HOW = """\
## How it was measured

One environment step is a window of 20 simulation steps of 1 ms, the choice of an action, a step of
the environment, and the update of every weight by a three-factor rule; `neurorl/bench/workload.py`
has all of it. Small: {small}, on CartPole-v1. Large: {large}, on an environment of 16 sinusoids.

- Every measurement is a process of its own, on one thread pinned to one core: a warm-up of 20 loop
  steps (3 of slow ones), then {seconds:g} CPU seconds. Rates are of CPU seconds of the whole loop,
  environment and encoder included, so that other work on the machine counts little. Steps of all
  replicas are added up.
- {rounds} round{s} over everything, interleaved; medians. *of the quicker floor's rate*
  is the row's rate over that of the quicker of the two C programs, taken inside a round at the same
  size and replicas: its median, and least and most; more is better.
- *c-floor dense* is the workload by hand in C (`neurorl/bench/floor.c`: float32, sizes known to the
  compiler, `{flags}`) in the same Python loop. *block* has the same numbers but touches e and w
  once a window.
- *deep* learns from images like those of MinAtar's Breakout, of 10 x 10 x 4 bits, with {deep}
  hidden neurons of an actor and as many of a critic, one step of them for a decision;
  its C program, `neurorl/bench/deep.c`, has one form.
- *cartpole* and *gridworld* are the presets, escape noise on, which no C program has.
- *start* is wall time from the start of the process to the end of the first environment step,
  compiled code in the cache; *cold start* the same with an empty cache.
- On loihi the hidden neurons of the large network are two populations of 500, as one core has no
  room for their synapses; *stock* is nengo-loihi's own emulator on the same network.
- *netrun* is Brian2 as documented, `Network.run` for every environment step. *numpy*, *pytorch* and
  *jax* are written by hand (`scripts/benchmarks/peers/`). *spikingjelly* and *bindsnet* use their
  own learning rules, which are not quite the workload's; their files say where they differ.

## Again, on another machine

    {command}
"""


def full_plan(
    quick: bool,
    rounds: int,
    seconds: float,
    peers: Sequence[str] | None = None,
    replicas: Sequence[int] = (1, 16, 64),
) -> tuple[Plan, list[str]]:
    """Plan every backend, engine, size and number of replicas, and peers; note missing peers.

    quick: instead a few that start at once. peers: by name; None takes all, or numpy if *quick*.
    """
    if quick:
        others, notes = candidates(["numpy"] if peers is None else peers)
        chosen = [Candidate(BackendSpec("reference")), *others]
        return Plan(chosen, ("small",), (1,), 1, seconds), notes
    others, notes = candidates(peers)
    sizes = (*SIZES, DEEP.name, *PRESETS)
    return Plan([*everything(), *others], sizes, tuple(replicas), rounds, seconds, cold=True), notes


def machine() -> dict[str, Any]:
    """Return what figures depend on: date, processor, compiler, Python and package versions."""
    names = {"neurorl", "numpy", "brian2", "nengo", "nengo-loihi", "gymnasium"}
    names |= {d for peer in PEERS.values() for d in peer.distributions} | {"snntorch", "norse"}
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": _compiler(),
        "python": platform.python_version(),
        "packages": dict(sorted(_versions(names))),
    }


def markdown(report: Report, plan: Plan, where: dict[str, Any], command: str) -> str:
    """Return the page. where: as from `machine`. command: with which to repeat it."""
    versions = ", ".join(f"{k} {v}" for k, v in where["packages"].items())
    lines = ["# Benchmarks", "", f"{where['date']}, {where['cpu']}, {where['system']};"]
    lines += [f"{where['compiler']}; Python {where['python']}; {versions}.", "", f"`{command}`", ""]
    for size, replicas in dict.fromkeys((r["size"], r["replicas"]) for r in report.rows):
        rows = [r for r in report.rows if (r["size"], r["replicas"]) == (size, replicas)]
        s = "s" if replicas > 1 else ""
        lines += [f"## {size}, {replicas} replica{s}", "", *_table(rows), ""]
    if report.notes:
        lines += ["Not measured:", "", *(f"- {note}" for note in report.notes), ""]
    shapes = {
        name: f"{s.inputs}-{s.hidden}-{s.outputs} neurons, {s.synapses:,} plastic synapses"
        for name, s in SIZES.items()
    }
    how = {"flags": " ".join(FLAGS), "command": command, "s": "s" if plan.rounds > 1 else ""}
    how |= {"rounds": str(plan.rounds), "deep": str(DEEP.hidden), **shapes}
    return "\n".join(lines) + "\n" + _HOW.format(seconds=plan.seconds, **how)


def write(report: Report, plan: Plan, folder: Path, command: str) -> list[Path]:
    """Write benchmarks.json and benchmarks.md into *folder*; returns their paths."""
    make_folder(folder)
    where = machine()
    data = {"machine": where, "command": command, "rows": report.rows, "notes": report.notes}
    write_json(folder / "benchmarks.json", data)
    page = folder / "benchmarks.md"
    write_bytes(page, markdown(report, plan, where, command).encode())
    return [folder / "benchmarks.json", page]


def write_measured(path: Path, command: str, result: Any) -> Path:
    """Write what a script measured as JSON, with the machine and how busy it was; return *path*."""
    load = None if not hasattr(os, "getloadavg") else round(os.getloadavg()[0], 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    where = {"machine": machine(), "load_average": load, "command": command}
    write_json(path, {**where, "result": result})
    return path


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|---" * len(COLUMNS) + "|"]
    for row in sorted(rows, key=_speed):
        lines.append("| " + " | ".join(cells(row)) + " |")
    return lines


def _speed(row: dict[str, Any]) -> float:
    return -float(row["env_steps_per_s"])


def _versions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def _compiler() -> str:
    try:
        done = subprocess.run(
            [*compiler(), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "no C compiler"
    return done.stdout.splitlines()[0]
