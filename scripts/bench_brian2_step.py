"""Measure an environment step in native code, on Brian2 in our steps, and by `brian2.Network.run`.

    python scripts/bench_brian2_step.py [--rounds 7] [--json] [--out FILE]

One environment step is one window of 10 simulation steps of a network of CartPole's size. Rounds
are interleaved, and times are of the processor, so that other work on it counts little; medians
over rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.report import write_measured
from neurorl import load
from neurorl.backends.base import Backend
from neurorl.backends.brian2.simulator import ENGINES, Brian2Simulator
from neurorl.backends.brian2.vendor import brian2, exact_preferences
from neurorl.cli.status import exit_status
from neurorl.models import CubaLIF, actor_network
from neurorl.network.serialization import positive
from neurorl.testing import rasters

STEPS = 10


def measure(rounds: int, windows: int = 100, naive_windows: int = 3) -> dict[str, float]:
    """Return microseconds per environment step of each way, and ``ratio`` = naive / cython."""
    network = actor_network(40, 2, neuron=CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5))
    inputs = [rasters(network, STEPS, k) for k in range(windows)]
    stepped: dict[str, Backend] = {
        engine: load("brian2", network, engine=engine) for engine in ENGINES
    }
    stepped |= {name: load(name, network) for name in ("native", "reference")}
    naive = load("brian2", network, engine="cython")
    simulator = naive.simulator
    assert isinstance(simulator, Brian2Simulator)
    duration = STEPS * network.dt * brian2.second

    def step(backend: Backend) -> None:
        for raster in inputs:
            backend.step(raster, STEPS)

    def run_naive() -> None:
        with exact_preferences("cython"):
            for _ in range(naive_windows):
                simulator.brian2_network.run(duration)

    ways: dict[str, tuple[Callable[[], None], int]] = {
        name: (partial(step, backend), windows) for name, backend in stepped.items()
    }
    ways["naive"] = (run_naive, naive_windows)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for k in range(rounds + 1):
        for name, (way, count) in ways.items():
            start = time.process_time()
            way()
            if k:  # the first round warms up
                times[name].append((time.process_time() - start) / count * 1e6)
    result = {name: statistics.median(values) for name, values in times.items()}
    return {**result, "ratio": result["naive"] / result["cython"]}


@exit_status("bench_brian2_step")
def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write it as JSON")
    options = parser.parse_args(arguments)
    positive("--rounds", options.rounds)
    result = measure(options.rounds)
    if options.out:
        command = f"python scripts/bench_brian2_step.py --rounds {options.rounds}"
        write_measured(options.out, command, result)
    if options.json:
        print(json.dumps({k: float(np.round(v, 1)) for k, v in result.items()}))
    else:
        for name in ("native", "reference", *ENGINES, "naive"):
            print(f"{name:9s} {result[name]:12.1f} us per environment step of {STEPS} steps")
        print(f"naive / cython = {result['ratio']:.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
