"""Measure memory and time of spikes as pairs of neuron and step, in and out of a large network.

    python scripts/benchmarks/spike_times.py [--neurons 100000] [--steps 10000] [--rate 10]
                                             [--silent]

Every neuron of a source and of a population spikes *rate* times a second by chance, in steps of 1
ms. Prints the peak memory of the process, before and after, and CPU seconds.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Sequence

import numpy as np

from neurorl import Network, Population, Projection, Source, SpikeTimes, load, step_times
from neurorl.models import LIF, OneToOne

DT = 1e-3


def peak_mb() -> float:
    """Return the largest memory that the process had so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--silent", action="store_true", help="give no spikes")
    parser.add_argument("--rate", type=float, default=10.0, help="spikes a second")
    options = parser.parse_args(arguments)
    n, n_steps, chance = options.neurons, options.steps, options.rate * DT
    noise = 1.0 / math.log(1.0 / chance - 1.0)  # of a neuron at 0 with the threshold 1
    cells = Population("cells", n, LIF(tau_mem=0.0, threshold=1.0, noise=noise))
    into = Projection("into", "input", "cells", 0.0, connect=OneToOne())
    network = Network((Source("input", n), cells), (into,), DT)
    rng = np.random.default_rng(0)
    print(f"before: {peak_mb():.0f} MB")
    count = 0 if options.silent else rng.poisson(n * n_steps * chance)
    i, t = (rng.integers(end, size=count, dtype=np.int32) for end in (n, n_steps))
    print(f"numbers drawn: {peak_mb():.0f} MB")
    spikes = SpikeTimes(i, t, n, n_steps)
    del i, t
    print(f"{len(spikes):,} spikes given: {peak_mb():.0f} MB")
    with load("native", network) as backend:
        began = time.process_time()
        found = step_times(backend, {"input": spikes}, n_steps)["cells"]
    seconds = time.process_time() - began
    print(f"{len(found):,} spikes got: {peak_mb():.0f} MB, {seconds:.1f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
