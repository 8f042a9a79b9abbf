"""Measure a window of learning by the synapses of a list, in a large random network.

``python scripts/benchmarks/scale_learning.py [--neurons 100000] [--in-degree 10] [--rounds 5]``:
N cells with as many plastic synapses from N inputs of 10 Hz, reward-stdp, windows of 50 steps of
1 ms. Prints the CPU seconds of the backend's steps alone, of a window with eligibilities and of
writing the weights, medians with the range; and the peak memory with learning and without.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.models import LIF, FixedInDegree

STEPS, RATE, DT = 50, 10.0, 1e-3
KINDS = ("steps", "window", "reinforce")

Figures = dict[str, list[float]]


def child(backend_name: str, n: int, degree: int, rounds: int, learns: bool) -> Figures:
    """Return CPU seconds of each round by kind, and the peak of this process in MiB."""
    up = Projection(
        "up",
        "in",
        "cells",
        Uniform(0.0, 6.0 / degree),
        connect=FixedInDegree(degree),
        plasticity=Plasticity(trace_tau=20e-3, low=0.0, high=12.0 / degree),
    )
    network = Network((Source("in", n), Population("cells", n, LIF(20e-3, 1.0))), (up,), DT)
    rng, seconds = np.random.default_rng(1), Figures()
    with load(backend_name, network) as backend:
        learning = Learning(backend, rate=0.01) if learns else None
        backend.step({}, STEPS)  # what is compiled or allocated once
        for _ in range(rounds):
            raster = rng.random((STEPS, n), dtype=np.float32) < RATE * DT
            began = time.process_time()
            if learning is None:
                spikes = backend.step({"in": raster}, STEPS)
                seconds.setdefault("steps", []).append(time.process_time() - began)
            else:
                spikes = learning.window({"in": raster}, STEPS)
                then = time.process_time()
                learning.reinforce(1.0)
                seconds.setdefault("window", []).append(then - began)
                seconds.setdefault("reinforce", []).append(time.process_time() - then)
            hertz = float(spikes["cells"].mean()) / DT
            seconds.setdefault("hertz", []).append(hertz)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**seconds, "peak": [peak]}


def measured(*arguments: object) -> Figures:
    """Return the figures of a process of its own."""
    command = [sys.executable, __file__, "--child", *(str(a) for a in arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="brian2")
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--in-degree", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, *numbers = given.child
        n, degree, rounds, learns = (int(number) for number in numbers)
        print(json.dumps(child(name, n, degree, rounds, bool(learns))))
        return
    of_both = [
        measured(given.backend, given.neurons, given.in_degree, given.rounds, learns)
        for learns in (0, 1)
    ]
    print(f"{given.neurons:,} cells, {given.neurons * given.in_degree:,} plastic synapses")
    for figures in of_both:
        for kind in (kind for kind in KINDS if kind in figures):
            each = figures[kind]
            middle, low, high = statistics.median(each), min(each), max(each)
            print(f"{kind}: {middle:.3f} CPU s ({low:.3f}-{high:.3f})")
        print(f"peak {figures['peak'][0]:.0f} MiB, cells {figures['hertz'][-1]:.1f} Hz")


if __name__ == "__main__":
    main()
