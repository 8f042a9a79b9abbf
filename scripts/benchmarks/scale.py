"""Measure large random networks on neurorl's native code, beside plain Brian2 in C++ and NEST.

``python scripts/benchmarks/scale.py [--rounds 3] [--sizes 10000 100000] [--steps 300]``: networks
of N neurons as Brunel's, 80 % of them excitatory, each with 100 synapses from others drawn at
random, a delay of 2 ms, steps of 1 ms, a constant drive of each neuron, no learning. NEST's neurons
are iaf_psc_delta with the same constants, weights, delays and drive; its rows need its wheel
(``pip install nest-simulator``). Every measurement is a process of its own; candidates take turns.
Prints for each the CPU and wall time of a step, CPU seconds until the first step, and the peak
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
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

IN_DEGREE = 100
TAU, REFRACTORY, DELAY, DT = 20e-3, 2e-3, 2e-3, 1e-3
EXCITES, INHIBITS = 0.02, -0.1
DRIVE = (0.95, 1.25)  # of neurons, of their thresholds

PRINT_CLOCK = """{
struct timespec _now;
clock_gettime(CLOCK_MONOTONIC, &_now);
std::cout << double(std::clock()) / CLOCKS_PER_SEC << " "
          << std::to_string(_now.tv_sec + 1e-9 * _now.tv_nsec) << std::endl;
}"""

Figures = dict[str, float]


def drive(n: int) -> np.ndarray:
    """Return the constant input of each neuron; some reach the threshold by it alone."""
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
    with load("native", Network(nodes, projections, DT)) as backend:
        load_cpu = _cpu()
        rasters = backend.step({}, 50)
        before, began = time.process_time(), time.perf_counter()
        spikes = 0
        for _ in range(n_steps // 50):
            rasters = backend.step({}, 50)
            spikes += sum(int(raster.sum()) for raster in rasters.values())
        seconds, wall = time.process_time() - before, time.perf_counter() - began
    return {
        "step_us": 1e6 * seconds / n_steps,
        "wall_us": 1e6 * wall / n_steps,
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
            b2.device.insert_code(f"{when}_network_run", PRINT_CLOCK)
        network.run(n_steps * DT * b2.second)
        b2.device.build(directory=folder, run=False, with_output=False)
        built = _cpu()
        program = subprocess.Popen(["./main"], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        began, began_at, ended, ended_at = map(float, program.stdout.read().split())
        _, _, used = os.wait4(program.pid, 0)
        seconds, wall = ended - began, ended_at - began_at
        counted = next((Path(folder) / "results").glob("*spikemonitor_N*"))
        spikes = int(np.fromfile(counted, np.int32)[0])
    return {
        "step_us": 1e6 * seconds / n_steps,
        "wall_us": 1e6 * wall / n_steps,
        "load_cpu_s": built + max(0.0, used.ru_utime + used.ru_stime - seconds),
        "peak_mib": used.ru_maxrss / 1024,
        "rate_hz": spikes / n / (n_steps * DT),
    }


def nest_child(n: int, n_steps: int, threads: int = 1) -> Figures:
    """Return the figures of NEST in this process."""
    import nest

    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.local_num_threads, nest.resolution = threads, 1e3 * DT
    n_excitatory, tau = n * 4 // 5, 1e3 * TAU
    cells = nest.Create(
        "iaf_psc_delta",
        n,
        {
            **dict.fromkeys(("E_L", "V_reset", "V_m"), 0.0),
            "V_th": 1.0,
            "tau_m": tau,
            "C_m": tau,  # so that I_e is the drive
            "t_ref": 1e3 * REFRACTORY,
        },
    )
    cells.I_e = drive(n)
    parts = ((cells[:n_excitatory], EXCITES, 4), (cells[n_excitatory:], INHIBITS, 1))
    for part, weight, fifths in parts:
        rule = {"rule": "fixed_indegree", "indegree": IN_DEGREE * fifths // 5}
        nest.Connect(part, cells, rule, {"weight": weight, "delay": 1e3 * DELAY})
    nest.Simulate(50.0 * 1e3 * DT)
    load_cpu = _cpu()
    counted = nest.local_spike_counter
    before, began = time.process_time(), time.perf_counter()
    nest.Simulate(n_steps * 1e3 * DT)
    seconds, wall = time.process_time() - before, time.perf_counter() - began
    return {
        "step_us": 1e6 * seconds / n_steps,
        "wall_us": 1e6 * wall / n_steps,
        "load_cpu_s": load_cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rate_hz": (nest.local_spike_counter - counted) / n / (n_steps * DT),
    }


CANDIDATES: dict[str, Callable[[int, int], Figures]] = {
    "neurorl": neurorl_child,
    "Brian2 standalone": brian2_child,
    "NEST, 1 thread": nest_child,
    "NEST, 2 threads": partial(nest_child, threads=2),
}


def _cpu() -> float:
    """Return the CPU seconds of this process and of those that it waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in (own, children))


def measured(name: str, n: int, n_steps: int) -> Figures:
    """Return the figures of one candidate in a process of its own."""
    command = [sys.executable, __file__, "--child", name, str(n), str(n_steps)]
    patient = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # NEST's threads, on a busy machine
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=patient)
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
    names = [name for name in CANDIDATES if "NEST" not in name or find_spec("nest")]
    print("| neurons, synapses | candidate | CPU us a step | wall | load, CPU s | peak MiB | Hz |")
    print("|---|---|---|---|---|---|---|")
    for n in given.sizes:
        rounds: dict[str, list[Figures]] = {name: [] for name in names}
        for _ in range(given.rounds):
            for name in names:
                rounds[name].append(measured(name, n, given.steps))
        for name, figures in rounds.items():
            middle = {key: statistics.median(f[key] for f in figures) for key in figures[0]}
            steps = sorted(f["step_us"] for f in figures)
            print(
                f"| {n:,}, {n * IN_DEGREE:,} | {name}"
                f" | {middle['step_us']:,.0f} ({steps[0]:,.0f}-{steps[-1]:,.0f})"
                f" | {middle['wall_us']:,.0f} | {middle['load_cpu_s']:.1f}"
                f" | {middle['peak_mib']:.0f} | {middle['rate_hz']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
