"""Measure what the first use ever costs on each backend: CPU seconds to the first learned step.

    python scripts/benchmarks/first_use.py [--backends A,B] [--env CartPole-v1] [--runs 3]

Each run is a process with an empty home and cache. Printed are the medians of its own CPU seconds,
of these with the compilers that it waited for, and of the time that it took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Run every backend in turn, round by round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", default="reference,native,loihi,torch")
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    names = options.backends.split(",")
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(options.runs):
        for name in names:
            rows[name].append(_fresh(name, options.env))
    print(f"{'CPU s':12}{'own':>8}{'in all':>8}{'wall':>8}")
    for name, runs in rows.items():
        own, whole, wall = (
            statistics.median(run[key] for run in runs) for key in ("own", "all", "wall")
        )
        print(f"{name:12}{own:8.2f}{whole:8.2f}{wall:8.2f}")


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
    wall, own = time.perf_counter() - began, time.process_time()
    compilers = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = own + compilers.ru_utime + compilers.ru_stime
    print(json.dumps({"own": own, "all": whole, "wall": wall}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
