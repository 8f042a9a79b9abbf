"""Measure a network in processes of NEST: seconds, and peak memory and synapses of each process.

    python scripts/nest_scale.py --neurons 100000 1000000 --processes 2 [--degree 100]
        [--steps 100] [--threads 1] [--learn] [--limit 12] [--json]
    python scripts/nest_scale.py --neurons 100000 --parts 2 16 128 1024

Needs a NEST with MPI, which scripts/build_nest.sh builds, named by ``NEURORL_NEST``. Leaky neurons
with escape noise, each with *degree* synapses from random ones, of weights drawn by a range, and
none of these in this process. Prints a row for each size; exit status 1 if a process took more than
--limit GiB. With --parts nothing runs, and no NEST is needed: it draws the part of one process of
so many, and prints its synapses, and how many neurons it hears, whose spikes have to come to it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from neurorl import Network, Plasticity, Population, Projection, Uniform
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status
from neurorl.models import CubaLIF, FixedInDegree

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "nest_backend"))


def network(neurons: int, degree: int, learns: bool) -> Network:
    """Return recurrent neurons that spike by noise, some 2 in 100 neurons and steps."""
    cells = CubaLIF(5e-3, 20e-3, threshold=1.0, noise=0.25)
    largest = 0.2 / degree  # so that learning can't make all spike at once
    plasticity = Plasticity(0.02, 0.0, 2 * largest) if learns else None
    recurrent = Projection(
        *("recurrent", "cells", "cells", Uniform(0.0, largest)),
        connect=FixedInDegree(degree, autapses=False, seed=1),
        plasticity=plasticity,
    )
    return Network((Population("cells", neurons, cells),), (recurrent,))


def measure(neurons: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return a row of figures."""
    from neurorl_nest.distributed import Distributed

    learning = {"rule": "reward-stdp", "rate": 0.1} if options.learn else None
    described = network(neurons, options.degree, options.learn)
    began = time.perf_counter()
    with Distributed(
        described, processes=options.processes, threads=options.threads, seed=1, learning=learning
    ) as runs:
        built, spikes = time.perf_counter(), 0
        for done in range(0, options.steps, 20):
            n_steps = min(20, options.steps - done)
            spikes += int(runs.window({}, n_steps)["cells"].sum())
            if options.learn:
                runs.reinforce(0.1)
        ended = time.perf_counter()
        used = runs.measure()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "neurons": neurons,
        "synapses": int(sum(one["synapses"] for one in used)),
        "processes": options.processes,
        "threads": options.threads,
        "steps": options.steps,
        "learns": options.learn,
        "spikes": spikes,
        "build_s": round(built - began, 1),
        "run_s": round(ended - built, 1),
        "peak_gib": [round(one["peak_mib"] / 1024, 2) for one in used],
        "front_gib": round(own, 2),
    }


def part(neurons: int, processes: int, degree: int) -> dict[str, Any]:
    """Return a row of what one process of many has."""
    from neurorl_nest.parts import part_of

    described = part_of(network(neurons, degree, False), processes // 2, processes, 1)
    synapses = described.synapses("recurrent")
    assert synapses is not None
    return {
        "neurons": neurons,
        "processes": processes,
        "own neurons": len(range(processes // 2, neurons, processes)),
        "own synapses": len(synapses),
        "neurons heard": int((synapses.start[1:] > synapses.start[:-1]).sum()),
    }


@exit_status("nest_scale")
def main(arguments: list[str] | None = None) -> int:
    """Measure every size; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, nargs="+", default=[100_000], metavar="N")
    for name, default in (("degree", 100), ("processes", 2), ("threads", 1), ("steps", 100)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    parser.add_argument("--parts", type=int, nargs="+", default=[], metavar="K")
    parser.add_argument("--learn", action="store_true", help="by reward-stdp, reinforced")
    parser.add_argument("--limit", type=float, default=12.0, metavar="GIB", help="of a process")
    parser.add_argument("--json", action="store_true", help="print one JSON object a size")
    options = parser.parse_args(arguments)
    rows = []
    for neurons in options.neurons:
        made = (part(neurons, k, options.degree) for k in options.parts)
        for row in made if options.parts else [measure(neurons, options)]:
            rows.append(row)
            if options.json:
                print(json.dumps(row), flush=True)
    if not options.json:
        print_table(tuple(rows[0]), [[str(value) for value in row.values()] for row in rows])
    return int(any(peak > options.limit for row in rows for peak in row.get("peak_gib", [])))


if __name__ == "__main__":
    raise SystemExit(main())
