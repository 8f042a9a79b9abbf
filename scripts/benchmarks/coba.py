"""Measure conductance-based neurons on neurorl's native code, beside plain Brian2 in C++.

``python scripts/benchmarks/coba.py [--rounds 5] [--neurons 100000] [--steps 1000]``: benchmark 1
of Brette et al. (2007), `neurorl.models.COBA_LIF` by exponential Euler in steps of
0.1 ms, at any size: 80 % of the neurons excite, each has 80 synapses on average from neurons drawn
at random. Brian2's program is written by hand for its C++ standalone device, with -O3
-march=native. Every measurement is a process of its own; candidates take turns. Prints the CPU
seconds of the run (not of building it), medians with the range, the rate of spikes and the ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.scale import PRINT_CLOCK

DT, WINDOW = 1e-4, 50
IN_DEGREE = {"e": 64, "i": 16}
WEIGHT = {"e": 0.6, "i": 6.7}  # of the leak's conductance

Figures = dict[str, float]


def starts(n: int) -> dict[str, np.ndarray]:
    """Return the state that the neurons begin with, so that the network is active at once."""
    rng = np.random.default_rng(1)
    means = {"v": (-65.0, 5.0), "ge": (4.0, 1.5), "gi": (20.0, 12.0)}
    return {x: rng.normal(mean, spread, n) for x, (mean, spread) in means.items()}


def neurorl_child(n: int, n_steps: int) -> Figures:
    """Return the figures of neurorl in this process."""
    import dataclasses

    from neurorl import Network, Population, Projection, load
    from neurorl.models import FixedProbability
    from neurorl.models.neurons.published import COBA_LIF

    border, state = n * 4 // 5, starts(n)
    parts, sizes = {"e": slice(0, border), "i": slice(border, n)}, {"e": border, "i": n - border}
    populations = []
    for name, part in parts.items():
        initial = {x: values[part] for x, values in state.items()}
        neuron = dataclasses.replace(COBA_LIF, initial=initial)
        populations.append(Population(name, sizes[name], neuron))
    projections = [
        Projection(
            f"{pre}_{post}",
            pre,
            post,
            WEIGHT[pre],
            connect=FixedProbability(IN_DEGREE[pre] / sizes[pre]),
            target=f"g{pre}",
        )
        for pre in parts
        for post in parts
    ]
    with load("native", Network(tuple(populations), tuple(projections), DT)) as backend:
        spikes, before = 0, time.process_time()
        for _ in range(n_steps // WINDOW):
            rasters = backend.step({}, WINDOW)
            spikes += sum(int(raster.sum()) for raster in rasters.values())
        seconds = time.process_time() - before
    return {"seconds": seconds, "rate_hz": spikes / n / (n_steps * DT)}


def brian2_child(n: int, n_steps: int) -> Figures:
    """Return the figures of a plain Brian2 program in C++ standalone mode."""
    import brian2 as b2

    with tempfile.TemporaryDirectory() as folder:
        b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-march=native"]
        b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
        b2.defaultclock.dt = DT * b2.second
        cells = b2.NeuronGroup(
            n,
            """dv/dt = (EL - v + ge*(Ee - v) + gi*(Ei - v))/tau_m : 1 (unless refractory)
            dge/dt = -ge/tau_e : 1
            dgi/dt = -gi/tau_i : 1""",
            threshold="v > -50",
            reset="v = -60",
            refractory=5 * b2.ms,
            method="exponential_euler",
            namespace={
                "EL": -60,
                "Ee": 0,
                "Ei": -80,
                "tau_m": 20 * b2.ms,
                "tau_e": 5 * b2.ms,
                "tau_i": 10 * b2.ms,
            },
        )
        for name, values in starts(n).items():
            setattr(cells, name, values)
        monitor = b2.SpikeMonitor(cells, record=False)
        objects = [cells, monitor]
        border = n * 4 // 5
        for pre, part in (("e", cells[:border]), ("i", cells[border:])):
            made = b2.Synapses(part, cells, "w : 1 (shared)", on_pre=f"g{pre}_post += w")
            made.connect(p=IN_DEGREE[pre] / len(part))
            made.w = WEIGHT[pre]
            objects.append(made)
        network = b2.Network(objects)
        for when in ("before", "after"):
            b2.device.insert_code(f"{when}_network_run", PRINT_CLOCK)
        network.run(n_steps * DT * b2.second)
        b2.device.build(directory=folder, run=False, with_output=False)
        command = ["./main"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        began, _, ended, _ = map(float, done.stdout.split())
        counted = next((Path(folder) / "results").glob("*spikemonitor_N*"))
        spikes = int(np.fromfile(counted, np.int32)[0])
    return {"seconds": ended - began, "rate_hz": spikes / n / (n_steps * DT)}


CANDIDATES: dict[str, Callable[[int, int], Figures]] = {
    "neurorl": neurorl_child,
    "Brian2 standalone": brian2_child,
}


def measured(name: str, n: int, n_steps: int) -> Figures:
    """Return the figures of one candidate in a process of its own."""
    command = [sys.executable, __file__, "--child", name, str(n), str(n_steps)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, n, n_steps = given.child
        print(json.dumps(CANDIDATES[name](int(n), int(n_steps))))
        return
    rounds: dict[str, list[Figures]] = {name: [] for name in CANDIDATES}
    for _ in range(given.rounds):
        for name, figures in rounds.items():
            figures.append(measured(name, given.neurons, given.steps))
    print("| candidate | CPU s of the run | Hz |\n|---|---|---|")
    for name, figures in rounds.items():
        seconds = sorted(f["seconds"] for f in figures)
        rate = statistics.median(f["rate_hz"] for f in figures)
        spread = f"{seconds[0]:.2f}-{seconds[-1]:.2f}"
        print(f"| {name} | {statistics.median(seconds):.2f} ({spread}) | {rate:.1f} |")
    ours, theirs = ([f["seconds"] for f in figures] for figures in rounds.values())
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
    print(f"neurorl over Brian2, round by round: {statistics.median(ratios):.2f} ({spread})")


if __name__ == "__main__":
    main()
