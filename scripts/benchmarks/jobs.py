"""Measure what processes gain: the wall time of training seeds in one process and in several.

``python scripts/benchmarks/jobs.py [--seeds 0..19] [--jobs 2] [--rounds 3] [--episodes 160]``:
``neurorl train CartPole-v1`` of all seeds with ``--jobs 1`` and ``--jobs N`` in turns, each into a
folder of its own; checkpoints must be the same. Prints seconds of both and their ratio, medians
with the range, and the machine's load; on a busy machine the ratio says little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(folder: Path, jobs: int, seeds: str, episodes: int, backend: str) -> float:
    """Train the seeds into *folder*, and return the wall seconds."""
    command = [sys.executable, "-m", "neurorl", "train", "CartPole-v1", "--backend", backend]
    command += ["--seeds", seeds, "--episodes", str(episodes), "--jobs", str(jobs)]
    began = time.perf_counter()
    subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def learned(folder: Path) -> dict[str, bytes]:
    """Return the checkpoints in a folder by their place in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.npz"))}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0..19")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=160)
    parser.add_argument("--backend", default="native")
    given = parser.parse_args()
    taken: dict[int, list[float]] = {1: [], given.jobs: []}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(given.rounds + 1):  # the first compiles
            files = []
            for jobs in taken:
                folder = Path(scratch) / f"{number}-{jobs}"
                wall = seconds(folder, jobs, given.seeds, given.episodes, given.backend)
                files.append(learned(folder))
                if number:
                    taken[jobs].append(wall)
            assert files[0], "nothing was learned"
            assert files[0] == files[-1], "processes learned something else"
    for jobs, walls in taken.items():
        low, high = min(walls), max(walls)
        print(f"--jobs {jobs}: {statistics.median(walls):.1f} s wall ({low:.1f}-{high:.1f})")
    ratios = [one / several for one, several in zip(*taken.values(), strict=True)]
    low, high = min(ratios), max(ratios)
    print(f"ratio {statistics.median(ratios):.2f} ({low:.2f}-{high:.2f})")
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
