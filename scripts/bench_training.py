"""Measure an update by gradients: ours, and the same network in snnTorch, SpikingJelly, norse.

    python scripts/bench_training.py [--rounds 7] [--cases cartpole] [--loop] [--out FILE]

Forward, backward and a step of `torch.optim.Adam`, float32, one thread, CPU time; before it, in
cases named rollout, the 16 decisions of 4 environments that it learns from. Rounds over all are
interleaved. Times of others are multiples of ours with its noise, of the same round: above 1
ours is quicker; least and most in brackets. Of each the quickest of its forms is shown.
scripts/benchmarks/training/ has the networks. --loop also trains the CartPole preset, and says
which part of that the updates are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from benchmarks.report import machine, write_measured
from benchmarks.tables import training_table
from benchmarks.training.cases import CASES, Case
from benchmarks.training.contenders import BASELINE, ways
from benchmarks.training.loop import whole_loop
from benchmarks.training.measure import measure
from neurorl.backends.torch import keep_freed_memory
from neurorl.cli.status import exit_status
from neurorl.network.serialization import positive


@exit_status("bench_training")
def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a measurement, about")
    parser.add_argument("--cases", default="", help="those whose name begins so (default all)")
    parser.add_argument("--peers", help="comma-separated names (default all)")
    parser.add_argument("--loop", action="store_true", help="also the whole of training")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write it as JSON")
    options = parser.parse_args(arguments)
    positive("--rounds", options.rounds)
    torch.set_num_threads(1)
    keep_freed_memory()
    peers = None if options.peers is None else options.peers.split(",")
    results: list[dict[str, Any]] = []
    notes: list[str] = []
    for case in CASES.values():
        if not case.name.startswith(options.cases):
            continue
        rows, missing = measured(case, peers, options.rounds, options.seconds)
        notes = missing
        results += [{"case": case.name, "shape": case.shape, **row} for row in rows]
    loop = whole_loop(options.rounds) if options.loop else None
    result = {"rows": results, "notes": notes, "loop": loop}
    if options.out:
        command = f"python scripts/bench_training.py --rounds {options.rounds}"
        command += f" --seconds {options.seconds:g}" + " --loop" * options.loop
        write_measured(options.out, command, result)
    if options.json:
        print(json.dumps({"machine": machine(), **result}))
    else:
        print("\n".join(training_table(results)))
        for note in notes:
            print(f"\nNot measured: {note}")
    if loop is not None and not options.json:
        rate, share = loop["env_steps_per_s"], loop["update_share"]
        print(f"\nWhole training: {rate:.0f} environment steps/s, {share:.0%} of it updates")
    return 0


def measured(
    case: Case, peers: list[str] | None, rounds: int, seconds: float
) -> tuple[list[dict[str, Any]], list[str]]:
    updates, notes = ways(case, peers)
    with Progress(transient=True) as progress:
        task = progress.add_task(case.name, total=rounds * len(updates))
        rows = measure(updates, BASELINE, rounds, seconds, lambda: progress.advance(task))
    return rows, notes


if __name__ == "__main__":
    raise SystemExit(main())
