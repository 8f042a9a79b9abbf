"""Measure large random networks on neurorl's Brian2 backend, beside plain Brian2 in C++.

``python scripts/benchmarks/scale.py [--rounds 3] [--sizes 10000 100000] [--steps 300]``: networks
of N neurons, 80 % of them excitatory, each with 100 synapses from others drawn at random, a delay
of 2 ms, steps of 1 ms, no learning. Every measurement is a process of its own; the two candidates
take turns. Prints for each the CPU time of a step, CPU seconds until the first step, and the peak
memory of the process; compilers are processes of their own and count only for the CPU seconds.
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
from pathlib import Path

import numpy as np

IN_DEGREE = 100
TAU, REFRACTORY, DELAY, DT = 20e-3, 2e-3, 2e-3, 1e-3
EXCITES, INHIBITS = 0.02, -0.1
DRIVE = (0.95, 1.25)  # of neurons, of their thresholds

_PRINT_CLOCK = "std::cout << double(std::clock()) / CLOCKS_PER_SEC << std::endl;"

Figures = dict[str, float]


def drive(n: int) -> np.ndarray:
    """Return the constant input of each neuron, of which some reach the threshold by it alone."""
    return np.random.default_rng(1).uniform(*DRIVE, n)


def neurorl_child(n: int, n_steps: int) -> Figures:
    """Return the figures of neurorl in this process."""
    from neurorl import Network, Population, Projection, load
    from neurorl.models import LIF, FixedInDegree

    n_excitatory = n * 4 // 5
    bias = drive(n) * (1 - np.exp(-DT / TAU))
    sizes = {"e": (n_excitatory, bias[:n_excitatory]), "i": (n - n_excitatory, bias[n_excitatory:])}
    nodes = tuple(
        Population(name, size, LIF(TAU, 1.0, bias=own, refractory=REFRACTORY))
        for name, (size, own) in sizes.items()
    )
    degree = {"e": IN_DEGREE * 4 // 5, "i": IN_DEGREE // 5}
    weight = {"e": EXCITES, "i": INHIBITS}
    projections = tuple(
        Projection(
            f"{pre}_{post}", pre, post, weight[pre], connect=FixedInDegree(degree[pre]), delay=DELAY
        )
        for pre in "ei"
        for post in "ei"
    )
    with load("brian2", Network(nodes, projections, DT)) as backend:
        load_cpu = _cpu()
        rasters = backend.step({}, 50)
        before = time.process_time()
        spikes = 0
        for _ in range(n_steps // 50):
            rasters = backend.step({}, 50)
            spikes += sum(int(raster.sum()) for raster in rasters.values())
        seconds = time.process_time() - before
    return {
        "step_us": 1e6 * seconds / n_steps,
        "load_cpu_s": load_cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rate_hz": spikes / n / (n_steps * DT),
    }


def brian2_child(n: int, n_steps: int) -> Figures:
    """Return the figures of a plain Brian2 program in C++ standalone mode."""
    import brian2 as b2

    with tempfile.TemporaryDirectory() as folder:
        b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
        b2.defaultclock.dt = DT * b2.second
        cells = b2.NeuronGroup(
            n,
            "dv/dt = (b - v)/tau : 1 (unless refractory)\nb : 1",
            threshold="v > 1",
            reset="v = 0",
            refractory=REFRACTORY * b2.second,
            method="exact",
            namespace={"tau": TAU * b2.second},
        )
        cells.b = drive(n)
        monitor = b2.SpikeMonitor(cells, record=False)
        n_excitatory = n * 4 // 5
        objects = [cells, monitor]
        for part, weight in ((cells[:n_excitatory], EXCITES), (cells[n_excitatory:], INHIBITS)):
            made = b2.Synapses(part, cells, "w : 1", on_pre="v_post += w", delay=DELAY * b2.second)
            made.connect(p=IN_DEGREE / n)
            made.w = weight
            objects.append(made)
        network = b2.Network(objects)
        for when in ("before", "after"):
            b2.device.insert_code(f"{when}_network_run", _PRINT_CLOCK)
        network.run(n_steps * DT * b2.second)
        b2.device.build(directory=folder, run=False, with_output=False)
        built = _cpu()
        program = subprocess.Popen(["./main"], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        began, ended = (float(line) for line in program.stdout.read().split())
        _, _, used = os.wait4(program.pid, 0)
        seconds = ended - began
        counted = next((Path(folder) / "results").glob("*spikemonitor_N*"))
        spikes = int(np.fromfile(counted, np.int32)[0])
    return {
        "step_us": 1e6 * seconds / n_steps,
        "load_cpu_s": built + max(0.0, used.ru_utime + used.ru_stime - seconds),
        "peak_mib": used.ru_maxrss / 1024,
        "rate_hz": spikes / n / (n_steps * DT),
    }


CANDIDATES = {"neurorl brian2": neurorl_child, "Brian2 standalone": brian2_child}


def _cpu() -> float:
    """Return the CPU seconds of this process and of those that it waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in (own, children))


def measured(name: str, n: int, n_steps: int) -> Figures:
    """Return the figures of one candidate in a process of its own."""
    command = [sys.executable, __file__, "--child", name, str(n), str(n_steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, n, n_steps = given.child
        print(json.dumps(CANDIDATES[name](int(n), int(n_steps))))
        return
    print("| neurons, synapses | candidate | us a step | load, CPU s | peak MiB | rate, Hz |")
    print("|---|---|---|---|---|---|")
    for n in given.sizes:
        rounds: dict[str, list[Figures]] = {name: [] for name in CANDIDATES}
        for _ in range(given.rounds):
            for name in CANDIDATES:
                rounds[name].append(measured(name, n, given.steps))
        for name, figures in rounds.items():
            middle = {key: statistics.median(f[key] for f in figures) for key in figures[0]}
            steps = sorted(f["step_us"] for f in figures)
            print(
                f"| {n:,}, {n * IN_DEGREE:,} | {name}"
                f" | {middle['step_us']:,.0f} ({steps[0]:,.0f}-{steps[-1]:,.0f})"
                f" | {middle['load_cpu_s']:.1f} | {middle['peak_mib']:.0f}"
                f" | {middle['rate_hz']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
