"""Compare the CPU time of steps with that of another engine, or of an earlier checkout.

    python scripts/benchmarks/engines.py [--engine native] [--other reference] [--checkout FOLDER]
        [--only WORDS] [--rounds 41] [--arithmetic float] [--replicas 1] [--json]

A row for each network: neuron models, sizes, lists, delays, short-term plasticity, agents. Each
engine runs in a process of its own, and they take turns window by window, so that a busy machine
slows both. ``--checkout``: where the other one's neurorl is, such as a worktree of an earlier
commit, whose engine ``brian2:compiled`` is no more here. Prints the microseconds of a window,
the median of the ratios with quartiles, and whether all spikes are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
_ROUND_S, _STEPS = 0.04, 1000


class Case(NamedTuple):
    """Hold a network, the chance that a source spikes in a step, and the steps of a window."""

    make: Callable[[], Any]
    chance: float = 0.05
    n_steps: int = 20


def _cells(neuron: str, weight: float, n: int = 1000, **options: Any) -> Callable[[], Any]:
    """Return a recurrent network of *n* neurons of a model, by its name in `neurorl.models`."""

    def make() -> Any:
        from neurorl import Network, Population, Projection, Source, models
        from neurorl.network.description import Uniform

        model = getattr(models, neuron)
        cells = Population("cells", n, model(**options) if callable(model) else model)
        target = cells.neuron.inputs[0] if len(cells.neuron.inputs) > 1 else None
        drive = Projection("drive", "input", "cells", Uniform(0.0, weight), target=target)
        spread = Uniform(-weight / 10, weight / 10)
        loop = Projection("loop", "cells", "cells", spread, delay=3e-3, target=target)
        return Network((Source("input", 100), cells), (drive, loop), 1e-3)

    return make


def _sparse() -> Any:
    from neurorl import Network, Population, Projection, Source
    from neurorl.models import CubaLIF, FixedInDegree, FixedProbability
    from neurorl.network.description import Uniform

    n = 20_000
    cells = Population("cells", n, CubaLIF(noise=0.1, refractory=2e-3))
    each = 1e-3 * (1 + np.arange(n * 100) * 7 % 5)
    some, hundred = FixedProbability(0.1), FixedInDegree(100)
    loop = Projection("loop", "cells", "cells", Uniform(-0.05, 0.04), connect=hundred, delay=each)
    drive = Projection("drive", "input", "cells", Uniform(0.0, 0.08), connect=some)
    return Network((Source("input", 500), cells), (drive, loop), 1e-3)


def _short_term() -> Any:
    from neurorl import Network, Population, Projection, Source, TsodyksMarkram
    from neurorl.models import CubaLIF, FixedInDegree
    from neurorl.network.description import Uniform

    falls = TsodyksMarkram(U=0.6, tau_rec=50e-3)
    rises = TsodyksMarkram(U=0.1, tau_rec=20e-3, tau_facil=80e-3)
    cells = Population("cells", 1000, CubaLIF(noise=0.1, refractory=3e-3))
    some: dict[str, Any] = {"connect": FixedInDegree(100), "delay": 3e-3, "short_term": rises}
    loop = Projection("loop", "cells", "cells", Uniform(-0.05, 0.05), **some)
    drive = Projection("drive", "input", "cells", Uniform(0.0, 0.1), short_term=falls)
    return Network((Source("input", 100), cells), (drive, loop), 1e-3)


def _agent(env_id: str) -> Callable[[], Any]:
    def make() -> Any:
        from neurorl import SpikingActorCritic

        return SpikingActorCritic(env_id, seed=1, backend="reference").network

    return make


def _bench(size: str) -> Callable[[], Any]:
    def make() -> Any:
        from neurorl.bench import ours, workload

        return ours.network(workload.SIZES[size])

    return make


CASES: dict[str, Case] = {
    "bench small": Case(_bench("small"), n_steps=10),
    "bench large": Case(_bench("large"), n_steps=10),
    "agent, CartPole": Case(_agent("CartPole-v1"), 0.1),
    "agent, Acrobot": Case(_agent("Acrobot-v1"), 0.02),
    "LIF 1,000": Case(_cells("LIF", 0.04)),
    "LIF 4,000": Case(_cells("LIF", 0.02, 4000)),
    "CubaLIF 1,000": Case(_cells("CubaLIF", 0.02, noise=0.1)),
    "CubaLIF 1,000, refractory": Case(_cells("CubaLIF", 0.02, noise=0.1, refractory=4e-3)),
    "GLM 1,000": Case(_cells("GLM", 0.04, bias=-2.0)),
    "Izhikevich 1,000": Case(_cells("IZHIKEVICH", 3.0), 0.1),
    "Izhikevich 8,000": Case(_cells("IZHIKEVICH", 3.0, 8000), 0.02),
    "adaptive LIF 1,000": Case(_cells("ADAPTIVE_LIF", 0.04), 0.1),
    "AdEx 1,000": Case(_cells("ADEX", 250.0), 0.1),
    "COBA 1,000": Case(_cells("COBA_LIF", 0.4)),
    "COBA 5,000": Case(_cells("COBA_LIF", 0.4, 5000)),
    "lists 20,000 x 100, own delays": Case(_sparse),
    "short-term plasticity 1,000": Case(_short_term),
}


class Worker:
    """Run windows in a process of its own, on an engine of a checkout.

    ask: sends a line and returns the answer, as JSON.
    """

    def __init__(self, spec: str, checkout: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        command = [sys.executable, __file__, "--worker", spec]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, **asked: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def work(spec: str) -> None:
    """Answer the lines of a `Worker`, until the input ends."""
    warnings.simplefilter("ignore")
    from neurorl import load

    window: Any = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "case" in asked:
            case = CASES[asked["case"]]
            network, seeds = case.make(), list(range(asked["replicas"]))
            backend = load(spec, network, seed=seeds, arithmetic=asked["arithmetic"])
            window = backend.window(case.n_steps)
            print(json.dumps(_digest(network, window, case, len(seeds))), flush=True)
        else:
            began = time.process_time()
            for _ in range(asked["runs"]):
                window.run(False)
            print(json.dumps((time.process_time() - began) / asked["runs"]), flush=True)


def _digest(network: Any, window: Any, case: Case, n_replicas: int) -> str:
    """Return what tells the spikes of some windows."""
    rng, spikes = np.random.default_rng(5), hashlib.sha256()
    sources = [source for source in network.sources if source.name in window.inputs]
    for _ in range(_STEPS // case.n_steps):
        for source in sources:
            to = window.inputs[source.name]
            to[:] = rng.random(to.shape) < case.chance if to.dtype == bool else case.chance
        window.run(False)
        for name in sorted(window.rasters):
            spikes.update(np.packbits(window.rasters[name]).tobytes())
    return spikes.hexdigest()


def compare(
    engine: Worker, other: Worker, name: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the row of a case."""
    asked = {"case": name, "replicas": options.replicas, "arithmetic": options.arithmetic}
    equal = engine.ask(**asked) == other.ask(**asked)
    runs = max(3, int(_ROUND_S / other.ask(runs=5)))
    times: dict[Worker, list[float]] = {engine: [], other: []}
    for turn in range(options.rounds):
        for worker in (engine, other) if turn % 2 else (other, engine):
            times[worker].append(worker.ask(runs=runs))
    ratios = [a / b for a, b in zip(times[engine], times[other], strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    us = {worker: 1e6 * statistics.median(times[worker]) for worker in times}
    row = {"network": name, "us": us[engine], "other_us": us[other]}
    return row | {"ratio": statistics.median(ratios), "low": low, "high": high, "equal": equal}


def main() -> int:
    """Print the rows; returns 1 if spikes differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", default="native")
    parser.add_argument("--other", default="reference")
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--only", default="", metavar="WORDS")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--arithmetic", default="float")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return 0
    engine, other = Worker(options.engine, ROOT), Worker(options.other, options.checkout)
    rows = []
    for name in CASES:
        if options.only in name and not _is_refused(name, options.arithmetic):
            rows.append(compare(engine, other, name, options))
            if not options.json:
                print(
                    "{network}: {us:.1f} us, other {other_us:.1f}, ratio {ratio:.2f} "
                    "({low:.2f}-{high:.2f}), {0}".format(
                        "equal" if rows[-1]["equal"] else "NOT equal", **rows[-1]
                    ),
                    flush=True,
                )
    mean = statistics.geometric_mean([row["ratio"] for row in rows])
    print(json.dumps({"rows": rows, "mean": mean}) if options.json else f"mean {mean:.2f}")
    return int(not all(row["equal"] for row in rows))


def _is_refused(name: str, arithmetic: str) -> bool:
    """Return whether a network has neurons or synapses that the chip hasn't."""
    words = ("Izhikevich", "adaptive", "AdEx", "COBA", "short-term")
    return arithmetic != "float" and any(word in name for word in words)


if __name__ == "__main__":
    raise SystemExit(main())
