"""What an update by gradients costs: ours, and the same network in snnTorch, SpikingJelly, norse.

    python scripts/bench_training.py [--rounds 7] [--cases cartpole] [--json]

Forward, backward and a step of `torch.optim.Adam`, float32, one thread, CPU time; rounds over all
are interleaved. Ratios are to ours with its noise, in the same round: above 1 ours is quicker. Of
each peer the quickest of its forms is shown. neurorl/bench/training/ has the networks.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import torch
from rich.progress import Progress

from neurorl.backends.torch import keep_freed_memory
from neurorl.bench.report import machine
from neurorl.bench.training.cases import CASES, Case
from neurorl.bench.training.contenders import BASELINE, ways
from neurorl.bench.training.measure import measure


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a measurement, about")
    parser.add_argument("--cases", default="", help="those whose name begins so (default all)")
    parser.add_argument("--peers", help="comma-separated names (default all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()
    peers = None if options.peers is None else options.peers.split(",")
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    for case in CASES.values():
        if not case.name.startswith(options.cases):
            continue
        rows, missing = measured(case, peers, options.rounds, options.seconds)
        notes = missing
        found += [{"case": case.name, "shape": case.shape, **row} for row in rows]
    if options.json:
        print(json.dumps({"machine": machine(), "rows": found, "notes": notes}))
    else:
        show(found, notes)
    return 0


def measured(
    case: Case, peers: list[str] | None, rounds: int, seconds: float
) -> tuple[list[dict[str, Any]], list[str]]:
    found, notes = ways(case, peers)
    with Progress(transient=True) as progress:
        task = progress.add_task(case.name, total=rounds * len(found))
        rows = measure(found, BASELINE, rounds, seconds, lambda: progress.advance(task))
    return rows, notes


def show(rows: list[dict[str, Any]], notes: list[str]) -> None:
    print("| case | network | library | form | ms an update | times ours (least-most) |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        ratio = f"{r['ratio']:.2f} ({r['ratio_min']:.2f}-{r['ratio_max']:.2f})"
        start = f"| {r['case']} | {r['shape']} | {r['name']} | {r['form']} "
        print(f"{start}| {r['ms']:.3g} | {ratio} |")
    for note in notes:
        print(f"\nNot measured: {note}")


if __name__ == "__main__":
    raise SystemExit(main())
