"""Measure a window of learning by the synapses of a list, beside the same by hand in C.

``python scripts/benchmarks/scale_learning.py [--neurons 100000] [--in-degree 10] [--rounds 5]``:
N cells with as many plastic synapses from N inputs of 10 Hz, reward-stdp, windows of 50 steps of
1 ms. Prints the CPU milliseconds of the backend's steps alone, of a window with eligibilities, of
changing the weights, and of both; the same of `sparse_floor.c`, which takes turns with it in one
process; their ratio, medians with the range; and the peak memory with learning and without.

``--dense 1000`` instead: so many inputs and cells, all pairs plastic, dense and as the list of the
same pairs in turns; CPU milliseconds of a window with the change of weights, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.models import LIF, FixedInDegree, Synapses
from neurorl.numerics.elementary import decay

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.sparse_floor import FloorConstants, SparseFloor

STEPS, RATE, DT, ETA = 50, 10.0, 1e-3, 0.01
TRACE, POST, ELIGIBILITY = 20e-3, 20e-3, 1.0
KINDS = ("steps", "window", "reinforce", "both", "C window", "C both", "ratio")

Figures = dict[str, list[float]]


def described(n: int, degree: int) -> Network:
    """Return inputs, cells and the synapses that learn."""
    up = Projection(
        "up",
        "in",
        "cells",
        Uniform(0.0, 6.0 / degree),
        connect=FixedInDegree(degree),
        plasticity=Plasticity(trace_tau=TRACE, low=0.0, high=12.0 / degree),
    )
    return Network((Source("in", n), Population("cells", n, LIF(20e-3, 1.0))), (up,), DT)


def floor_of(network: Network, weights: npt.NDArray[np.float64], degree: int) -> SparseFloor:
    """Return the same network by hand in C."""
    synapses = network.synapses("up")
    assert synapses is not None
    membrane, trace, post, kept = (float(decay(DT, t)) for t in (20e-3, TRACE, POST, ELIGIBILITY))
    constants = FloorConstants(membrane, 1.0, trace, post, 1.0, kept, 0.0, 12.0 / degree)
    return SparseFloor(synapses.start, synapses.post, weights, synapses.n_post, STEPS, constants)


def timed(call: Callable[..., object], *arguments: object) -> float:
    """Return the CPU milliseconds of a call."""
    began = time.process_time()
    call(*arguments)
    return 1e3 * (time.process_time() - began)


def child(backend_name: str, n: int, degree: int, rounds: int, learns: bool) -> Figures:
    """Return CPU milliseconds of each round by kind, and the peak of this process in MiB."""
    network, rng = described(n, degree), np.random.default_rng(1)
    figures: Figures = {kind: [] for kind in KINDS}
    with load(backend_name, network) as backend:
        learning = Learning(backend, rate=ETA) if learns else None
        if learning is not None:
            floor = floor_of(network, backend.weights("up"), degree)
        for number in range(rounds + 1):  # the first compiles and allocates
            raster = rng.random((STEPS, n), dtype=np.float32) < RATE * DT
            if learning is None:
                row = {"steps": timed(backend.step, {"in": raster}, STEPS)}
            else:
                window = timed(learning.window, {"in": raster}, STEPS)
                reinforce = timed(learning.reinforce, 1.0)
                c_window = timed(floor.window, raster)
                c_both = c_window + timed(floor.reinforce, ETA)
                both = window + reinforce
                numbers = (window, reinforce, both, c_window, c_both, both / c_both)
                row = dict(zip(KINDS[1:], numbers, strict=True))
                if not number:  # later a spike may differ by float32
                    assert np.allclose(learning.weights("up"), floor.w, atol=1e-4)
            for kind, value in row.items() if number else ():
                figures[kind].append(value)
    figures["peak"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
    return figures


def all_pairs(n: int, listed: bool) -> Network:
    """Return n inputs and n cells, all pairs plastic, dense or as a list."""
    pairs = np.arange(n * n if listed else 0)
    up = Projection(
        "up",
        "in",
        "cells",
        Uniform(0.0, 12.0 / n),
        connect=Synapses(pairs // n, pairs % n) if listed else None,
        plasticity=Plasticity(trace_tau=TRACE, low=0.0, high=24.0 / n),
    )
    return Network((Source("in", n), Population("cells", n, LIF(20e-3, 1.0))), (up,), DT)


def dense_and_listed(backend_name: str, n: int, rounds: int) -> Figures:
    """Return CPU milliseconds of a window and its reinforcement, both ways in turns."""
    figures: Figures = {"dense": [], "list": [], "ratio": []}
    with (
        load(backend_name, all_pairs(n, listed=False)) as dense,
        load(backend_name, all_pairs(n, listed=True)) as as_list,
    ):
        both = [Learning(backend, rate=ETA / n) for backend in (dense, as_list)]
        for number in range(rounds + 1):  # the first compiles and allocates
            raster = np.random.default_rng(number).random((STEPS, n)) < RATE * DT
            row = []
            for learning in both:
                window = timed(learning.window, {"in": raster}, STEPS)
                row.append(window + timed(learning.reinforce, 1.0))
            if number:
                for kind, value in zip(figures, (*row, row[0] / row[1]), strict=True):
                    figures[kind].append(value)
        assert np.array_equal(both[0].weights("up").ravel(), both[1].weights("up"))
        assert np.array_equal(both[0].eligibility("up").ravel(), both[1].eligibility("up"))
    return figures


def told(figures: Figures) -> None:
    """Print a line for each figure that was measured."""
    for kind in (kind for kind in figures if figures[kind] and kind != "peak"):
        each = figures[kind]
        middle, low, high = statistics.median(each), min(each), max(each)
        unit = "" if kind == "ratio" else " CPU ms"
        print(f"{kind}: {middle:.2f}{unit} ({low:.2f}-{high:.2f})")


def measured(*arguments: object) -> Figures:
    """Return the figures of a process of its own."""
    command = [sys.executable, __file__, "--child", *(str(a) for a in arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="native")
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--in-degree", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dense", type=int, metavar="CELLS")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, *numbers = given.child
        n, degree, rounds, learns = (int(number) for number in numbers)
        print(json.dumps(child(name, n, degree, rounds, bool(learns))))
        return
    if given.dense:
        print(f"{given.dense:,} cells, {given.dense**2:,} plastic synapses")
        told(dense_and_listed(given.backend, given.dense, given.rounds))
        return
    of_both = [
        measured(given.backend, given.neurons, given.in_degree, given.rounds, learns)
        for learns in (0, 1)
    ]
    print(f"{given.neurons:,} cells, {given.neurons * given.in_degree:,} plastic synapses")
    for figures in of_both:
        told(figures)
        print(f"peak {figures['peak'][0]:.0f} MiB")


if __name__ == "__main__":
    main()
