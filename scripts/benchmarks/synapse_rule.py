"""Compare a rule by statements with the same in Brian2's C++ standalone device, at scale.

    python scripts/benchmarks/synapse_rule.py [--neurons 100000] [--synapses 100] [--steps 1000]
                                              [--rounds 3] [--work FOLDER]

Neurons of two groups spike 10 times a second by chance, in steps of 1 ms; each of the second has
*synapses* of the first, which learn by pairs of spikes with soft bounds, a tag of each synapse and
two slow variables of each neuron, with a reward after every 100 steps. Prints the CPU seconds of
both for each round, without what comes before the first step, and the median of the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.scale import PRINT_CLOCK
from neurorl import Network, Plasticity, Population, Projection, Source, SynapseLearning, load
from neurorl.models import LIF, FixedInDegree
from neurorl.rules import SynapseRule

RATE, DT, WINDOW = 10.0, 1e-3, 100
RULE = SynapseRule(
    "tags with soft bounds",
    equations="dx_pre/dt = -x_pre/tau; dy_post/dt = -y_post/tau",
    on_pre="x_pre += 1; tag -= 0.01*w*y_post",
    on_post="y_post += 1; tag += 0.01*(1 - w)*x_pre",
    on_reward="w += M*tag; tag = 0.5*tag",
    parameters={"tau": 20e-3},
    initial={"tag": 0.0},
)


def ours(n: int, synapses: int, steps: int) -> float:
    """Return the CPU seconds of all windows and rewards."""
    chance = RATE * DT
    noise = 1.0 / np.log(1.0 / chance - 1.0)
    cells = Population("cells", n, LIF(tau_mem=0.0, threshold=1.0, noise=float(noise)))
    into = Projection(
        "into",
        "input",
        "cells",
        0.0,
        connect=FixedInDegree(synapses, multapses=True),
        plasticity=Plasticity(20e-3, 0.0, 1.0),
    )
    rng = np.random.default_rng(0)
    with load("native", Network((Source("input", n), cells), (into,), DT)) as backend:
        learning = SynapseLearning(backend, RULE)
        learning.window({}, 1)  # compiles
        began = time.process_time()
        for _ in range(steps // WINDOW):
            learning.window({"input": rng.random((WINDOW, n), dtype=np.float32) < chance}, WINDOW)
            learning.reinforce(0.1)
        return time.process_time() - began


def brian2s(n: int, synapses: int, steps: int, folder: Path) -> float:
    """Return the CPU seconds of the same in Brian2's standalone device, after its start."""
    import brian2 as b

    b.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b.defaultclock.dt = DT * b.second
    pre, post = (b.PoissonGroup(n, RATE * b.Hz) for _ in range(2))
    learns = b.Synapses(
        pre,
        post,
        """w : 1
        tag : 1
        dx/dt = -x/(20*ms) : 1 (event-driven)
        dy/dt = -y/(20*ms) : 1 (event-driven)""",
        on_pre="x += 1; tag -= 0.01*w*y",
        on_post="y += 1; tag += 0.01*(1 - w)*x",
    )
    learns.connect(j=f"int(rand()*{n}) for _ in range({synapses})")
    learns.run_regularly(
        "w = clip(w + 0.1*tag, 0, 1); tag = 0.5*tag", dt=WINDOW * DT * b.second, when="end"
    )
    network = b.Network(pre, post, learns)
    for when in ("before", "after"):
        b.device.insert_code(f"{when}_network_run", PRINT_CLOCK)
    network.run(steps * DT * b.second)
    b.device.build(directory=str(folder), run=False)
    done = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=True)
    began, _, ended, _ = map(float, done.stdout.split())
    b.device.reinit()
    return ended - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--synapses", type=int, default=100, help="into each neuron")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    sizes, ratios = (options.neurons, options.synapses, options.steps), []
    with tempfile.TemporaryDirectory() as work:
        for number in range(options.rounds):
            mine = ours(*sizes)
            theirs = brian2s(*sizes, Path(work) / f"{number}")
            ratios.append(mine / theirs)
            print(f"round {number}: {mine:.2f} s, Brian2 {theirs:.2f} s, ratio {ratios[-1]:.2f}")
    print(f"median of the ratios: {statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
