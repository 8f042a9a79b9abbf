"""Count random networks that differ on processes and threads of NEST, and checkpoints that do.

    python scripts/nest_processes.py [--networks 10] [--resumed 20] [--killed 20] [--first 0]

Needs a NEST with MPI, which scripts/build_nest.sh builds, named by ``NEURORL_NEST``. Networks have
projections of every kind, random delays, currents, noise and a rule that learns. Each runs in
parts, of which no process holds the whole, and on backend nest, and is compared with native in
every spike, weight, eligibility, membrane and current. Resumed: checkpoints written on 4 processes
and read on 1, and the other way. Killed: a process is killed in the middle; the run has to end with
one line, and go on from its last checkpoint. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from neurorl.cli.output import show
from neurorl.cli.status import exit_status
from neurorl.errors import BackendError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "nest_backend"))

from networks_in_parts import (
    N_WINDOWS,
    Values,
    course,
    differing,
    in_parts,
    learned,
    learning_of,
    native,
    on_backend,
    random_network,
    resumed,
)

PARTS = ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1))  # processes, threads
BACKENDS = ((1, 2), (2, 2), (4, 1))
HALF = N_WINDOWS // 2


def network_differs(seed: int) -> Iterator[str]:
    """Yield what differs of a network, and where."""
    network = random_network(seed)
    values, state = native(network, seed)
    for where, run, places in (("parts", in_parts, PARTS), ("backend", on_backend, BACKENDS)):
        for processes, threads in places:
            got, then = run(network, seed, processes, threads)
            for name in (*differing(values, got), *differing(state, then)):
                yield f"network {seed}, {where}, {processes} processes, {threads} threads: {name}"


def resumed_differs(seed: int) -> Iterator[str]:
    """Yield what differs of a network that goes on elsewhere."""
    network, (before, after) = random_network(seed), ((4, 1), (1, 4), (2, 3), (4, 2))[seed % 4]
    with tempfile.TemporaryDirectory() as folder:
        got = resumed(network, seed, Path(folder) / "checkpoint", before, after)
    for name in differing(native(network, seed)[0], got):
        yield f"network {seed}, from {before} to {after} processes: {name}"


def killed_differs(seed: int) -> Iterator[str]:
    """Yield what is wrong after the process of a rank was killed."""
    from neurorl_nest.distributed import Distributed

    network, told = random_network(seed), {"seed": seed, "learning": learning_of(seed)}
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "checkpoint"
        with Distributed(network, processes=3, **told) as runs:  # type: ignore[arg-type]
            seen = course(network, seed, runs, last=HALF)
            runs.save(to)
            os.kill(int(runs.measure()[seed % 3]["process"]), signal.SIGKILL)
            said = _said(lambda: course(network, seed, runs, first=HALF))
            if seed % 2:  # while a checkpoint is written, too
                said = said and _said(lambda: runs.save(to))
        if not said or "\n" in said:
            yield f"network {seed}: said {said!r}"
        with Distributed(network, processes=2, **told) as runs:  # type: ignore[arg-type]
            runs.restore(to)
            seen |= course(network, seed, runs, first=HALF)
            got = seen | learned(network, runs)
    for name in differing(native(network, seed)[0], got):
        yield f"network {seed}, after a kill: {name}"


def _said(run: Callable[[], Values | None]) -> str:
    """Return what an error says."""
    with contextlib.suppress(AssertionError):
        try:
            run()
        except BackendError as exc:
            return str(exc)
    return ""


@exit_status("nest_processes")
def main(arguments: list[str] | None = None) -> int:
    """Compare everything; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=10, metavar="N")
    parser.add_argument("--resumed", type=int, default=20, metavar="N")
    parser.add_argument("--killed", type=int, default=20, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="first number")
    options = parser.parse_args(arguments)
    parts = (
        ("networks", options.networks, network_differs),
        ("resumed on other processes", options.resumed, resumed_differs),
        ("resumed after a kill", options.killed, killed_differs),
    )
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # more threads than most have cores
    wrong = 0
    for what, count, differs in parts:
        found = 0
        for seed in range(options.first, options.first + count):
            lines = [*differs(seed)]
            found += bool(lines)
            for line in lines[:5] or [f"{what}, {seed}: equal"]:
                show(line)
        show(f"{what}: {found} of {count} differ")
        wrong += found
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
