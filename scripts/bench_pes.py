"""Measure a decision in which the emulated chip learns: our loops and nengo-loihi's own.

    python scripts/bench_pes.py [--rounds 5] [--out FILE]

A window of 14 steps and 2 of learning, for the networks of the presets; milliseconds of CPU time,
the median of rounds in which the ways take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.report import write_measured
from benchmarks.tables import pes_table
from neurorl import load
from neurorl.backends.base import Backend
from neurorl.cli.status import exit_status
from neurorl.models.defaults.presets import make_config
from neurorl.network.description import Network
from neurorl.network.serialization import positive
from neurorl.tasks.environments import discrete_actions, make_env
from neurorl.testing import rasters

ENVS = ("neurorl/GridWorld-v0", "CartPole-v1", "neurorl/Bandit-v0")
WINDOW, LEARNING, RATE = 14, 2, 0.05
DECISIONS = {True: 40, False: 2}  # of a round, by whether they are quick


@exit_status("bench_pes")
def main(arguments: list[str] | None = None) -> int:
    """Measure and print a row for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write it as JSON")
    options = parser.parse_args(arguments)
    rounds = positive("--rounds", options.rounds)
    rows = []
    for env_id in ENVS:
        network = preset(env_id)
        quick, own = measured(network, rounds)
        synapses = sum(int(np.prod(network.weight_shape(p.name))) for p in network.projections)
        rows.append({"network": env_id, "synapses": synapses, "ours_ms": quick, "own_ms": own})
    print("\n".join(pes_table(rows)))
    if options.out:
        write_measured(options.out, f"python scripts/bench_pes.py --rounds {rounds}", rows)
    return 0


def preset(env_id: str) -> Network:
    env = make_env(env_id)
    config = make_config(env, "lif", {"learning": "pes"})
    return config.network(int(discrete_actions(env, env_id).n))


def measured(network: Network, rounds: int) -> tuple[float, float]:
    """Return milliseconds a decision, of our loops and of nengo-loihi's."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    with (
        load("loihi", network, learning="pes", engine="native") as quick,
        load("loihi", network, learning="pes", engine="stock") as own,
    ):
        for _ in range(rounds):
            for is_quick, backend in ((True, quick), (False, own)):
                times = list(decisions(backend, DECISIONS[is_quick]))
                seconds[is_quick].append(statistics.median(times))
    return statistics.median(seconds[True]), statistics.median(seconds[False])


def decisions(backend: Backend, n: int) -> Iterator[float]:
    inputs = rasters(backend.network, WINDOW, 0, RATE)
    learned = {p.post: backend.network.node(p.post).size for p in backend.network.projections}
    errors = {name: np.full(size, 0.2) for name, size in learned.items()}
    for _ in range(n):
        began = time.process_time()
        backend.reset()
        backend.step(inputs, WINDOW)
        backend.learn({}, errors, LEARNING)
        yield 1e3 * (time.process_time() - began)


if __name__ == "__main__":
    raise SystemExit(main())
