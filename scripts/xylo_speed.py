"""Measure what a step costs on native in Xylo's integers: CPU time, against floats and Loihi's.

    python scripts/xylo_speed.py [--repeats 9]

Networks of 16 inputs, recurrent hidden neurons and 8 outputs, the same description and input in all
arithmetics, at four rates of input. The least of all repeats counts.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from neurorl.backends.base import Backend
from neurorl.backends.registry import load
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import rasters

_STEPS, _CALLS = 200, 20
_SIZES, _RATES = (64, 128, 512), (0.0, 0.01, 0.03, 0.1)
_ARITHMETICS = ("float", "loihi", "xylo")


def network(hidden: int) -> Network:
    """Return a network of *hidden* neurons, each with 16 inputs and 16 recurrent synapses."""
    neuron, rng = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=3.0), np.random.default_rng(hidden)
    mask = rng.random((hidden, hidden)) < 16 / hidden
    return Network(
        (Source("input", 16), Population("hidden", hidden, neuron), Population("out", 8, neuron)),
        (
            Projection("drive", "input", "hidden", Uniform(-0.5, 1.0)),
            Projection("loop", "hidden", "hidden", Uniform(-0.3, 0.3), mask=mask),
            Projection("read", "hidden", "out", Uniform(-0.4, 0.5)),
        ),
    )


def cpu_us(backend: Backend, rate: float, repeats: int) -> tuple[float, float]:
    """Return the microseconds of CPU of a step, and the spikes of a step. rate: of an input."""
    inputs = rasters(backend.network, _STEPS, 1, rate)
    spikes = sum(float(raster.sum()) for raster in backend.step(inputs, _STEPS).values())
    window, best = backend.window(_STEPS), np.inf
    for name, raster in inputs.items():
        window.inputs[name][:] = raster
    for _ in range(repeats):
        begin = time.process_time()
        for _ in range(_CALLS):
            window.run(False)
        best = min(best, time.process_time() - begin)
    return 1e6 * best / (_CALLS * _STEPS), spikes / _STEPS


def main() -> int:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    for hidden in _SIZES:
        made = {x: load("native", network(hidden), arithmetic=x) for x in _ARITHMETICS}
        for rate in _RATES:
            found = {x: cpu_us(backend, rate, repeats) for x, backend in made.items()}
            ratio = found["xylo"][0] / found["float"][0]
            shown = ", ".join(f"{x} {us:.3f} us ({n:.1f} spikes)" for x, (us, n) in found.items())
            print(f"16-{hidden}-8 at {rate:g}: {shown}; xylo by float {ratio:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
