"""Run the whole matrix of `neurorl bench`; write docs/benchmarks.json and docs/benchmarks.md.

    python scripts/benchmark.py [--rounds 3] [--seconds 0.8] [--replicas 1,16,64] [--peers A,B]
                                [--out docs] [--quick]

Peers (jax, pytorch, spikingjelly, bindsnet, ...) are measured if they are installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.report import full_plan, write
from neurorl.bench.command import measure, progress
from neurorl.cli.status import exit_status
from neurorl.errors import BackendUnavailableError
from neurorl.network.serialization import positive

_REPLICAS = (1, 16, 64)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(positive("--replicas", int(number)) for number in text.split(","))


@exit_status("benchmark")
def main(arguments: list[str] | None = None) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.8, help="CPU seconds each")
    parser.add_argument("--replicas", type=_numbers, default=_REPLICAS, metavar="A,B")
    parser.add_argument("--peers", metavar="A,B", help="other libraries (default all installed)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="default docs; of --quick runs/benchmark-quick"
    )
    parser.add_argument("--quick", action="store_true", help="a small part of it, one round")
    options = parser.parse_args(arguments)
    out = options.out or Path("runs/benchmark-quick" if options.quick else "docs")
    positive("--rounds", options.rounds)
    command = f"python scripts/benchmark.py --rounds {options.rounds} --seconds {options.seconds:g}"
    if options.replicas != _REPLICAS:
        command += f" --replicas {','.join(map(str, options.replicas))}"
    names = None if options.peers is None else options.peers.split(",")
    plan, notes = full_plan(options.quick, options.rounds, options.seconds, names, options.replicas)
    if names is not None and notes:
        raise BackendUnavailableError("; ".join(notes))
    with progress(plan.children) as advance:
        report = measure(plan, advance)
    report.notes[:0] = notes
    for path in write(report, plan, out, command + " --quick" * options.quick):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
