"""Measure what the first use ever costs on each backend: CPU seconds to the first learned step.

    python scripts/benchmarks/first_use.py [--backends A,B] [--env CartPole-v1] [--runs 3]

Each run is a process with an empty home and cache. Printed are the medians of its own CPU seconds
and of those of all processes that it began, until the first step was learned and until the last of
these processes has ended. Linux only, as it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_MOST_S = 600.0


def main() -> None:
    """Run every backend in turn, round by round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", default="reference,brian2,loihi,torch")
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    names = options.backends.split(",")
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(options.runs):
        for name in names:
            rows[name].append(_fresh(name, options.env))
    print(f"{'CPU s':12}{'first step':>12}{'own':>8}{'in all':>8}{'wall':>8}")
    for name, runs in rows.items():
        first, own, whole, wall = (
            statistics.median(run[key] for run in runs) for key in ("first", "own", "all", "wall")
        )
        print(f"{name:12}{first:12.2f}{own:8.2f}{whole:8.2f}{wall:8.2f}")


def _fresh(backend: str, env: str) -> dict[str, float]:
    """Return the seconds of a process with an empty home."""
    with tempfile.TemporaryDirectory() as home:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        done = subprocess.run(
            [sys.executable, __file__, "--child", backend, env],
            env={**environment, "HOME": home},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def child(backend: str, env: str) -> None:
    """Learn one step, and print what it took."""
    began = time.perf_counter()
    from neurorl import SpikingActorCritic

    SpikingActorCritic(env, backend=backend, seed=1).learn(total_steps=1)
    wall, own, first = time.perf_counter() - began, time.process_time(), _seconds(os.getpid())
    until = time.monotonic() + _MOST_S
    while _runs(os.getpid()) and time.monotonic() < until:
        time.sleep(0.1)
    row = {"first": first, "own": own, "all": _seconds(os.getpid()), "wall": wall}
    print(json.dumps(row))


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name, none if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _children(pid: int) -> list[int]:
    """Return the processes that a process began and hasn't waited for."""
    others = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [other for other in others if _stat(other)[1:2] == [str(pid)]]


def _seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of all that it began, ended ones too."""
    fields = _stat(pid)
    own = sum(map(int, fields[11:15])) / _TICK if fields else 0.0
    return own + sum(map(_seconds, _children(pid)))


def _runs(pid: int) -> bool:
    """Return whether a process that it began hasn't ended."""
    return any(_stat(one)[:1] not in ([], ["Z"]) for one in _children(pid))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
