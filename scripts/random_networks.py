"""Compare random networks of equations, and random rules, on all backends and engines.

    python scripts/random_networks.py [--networks 300] [--driven 300] [--rules 100] [--cython 30]
                                      [--first 0]
    python scripts/random_networks.py --only brian2:cython --cython 300 --unoptimised

Networks have 1 to 4 variables a neuron, all functions, conductances, lists, delays for each synapse
and short-term plasticity; driven ones have time, waves, even draws, white noise, a source of values
and gap junctions, too. Each runs in windows with resets, restored states and written weights.
Those whose equations are LIF or CubaLIF run in chip arithmetic, too. A rule learns an agent for an
episode in each loop. Everything is compared with the reference, or with NumPy's loop, in every bit.
Cython compiles some ten modules for a network, with -O0 half as long. Exit status 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from neurorl.cli.output import print_table, show
from neurorl.cli.status import exit_status
from neurorl.native.toolchain import EXACT_FLAGS
from neurorl.rules import Rule

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from compare_backends import compare
from random_chip_networks import random_chip_network
from random_equation_networks import random_equation_network
from random_rules import ELSEWHERE, check_equal, everywhere, learned, of_numpy

FLOAT: dict[str, dict[str, Any]] = {
    "native": {},
    "brian2:numpy": {"engine": "numpy"},
    "torch": {},
    "brian2:cython": {"engine": "cython"},
}
CHIP: dict[str, dict[str, Any]] = {
    "native:chip": {"arithmetic": "loihi"},
    "brian2:chip": {"arithmetic": "loihi"},
    "torch:chip": {"arithmetic": "loihi"},
    "loihi": {"arithmetic": "loihi"},
}


@dataclass
class Row:
    """Count the cases of a kind that ran in one place, and keep what differed.

    active: cases with spikes, or rules that changed a weight.
    """

    what: str
    where: str
    cases: int = 0
    active: int = 0
    differing: list[str] = field(default_factory=list)

    def add(self, number: int, run: Callable[[], int]) -> None:
        """Run a case."""
        self.cases += 1
        try:
            self.active += run() > 0
        except Exception as exc:
            self.differing.append(f"{self.what} {number} on {self.where}: {exc!r:.300}")


def networks(
    first: int, count: int, n_cython: int, only: str | None, driven: bool = False
) -> Iterator[Row]:
    """Compare networks of equations in float arithmetic; yield a row for each place.

    driven: whether equations have time, waves, even draws and white noise, too.
    """
    for where, options in FLOAT.items():
        if only not in (None, where):
            continue
        row = Row("driven network" if driven else "network", where)
        n = min(count, n_cython) if where == "brian2:cython" else count
        for k in range(first, first + n):
            network = random_equation_network(k, driven)
            row.add(k, partial(compare, network, k, {where: options}))
        yield row


def chip_networks(first: int, count: int) -> Iterator[Row]:
    """Compare networks that have a chip form in chip arithmetic; yield a row for each place."""
    for where, options in CHIP.items():
        row = Row("network of a chip form", where)
        for k in range(first, first + count):
            network, chip = random_chip_network(k), {"arithmetic": "loihi"}
            row.add(k, partial(compare, network, k, {where: options}, chip))
        yield row


def rules(first: int, count: int) -> Iterator[Row]:
    """Compare what agents learn by random rules; yield a row for each place."""
    rows = {where: Row("rule", where) for where in ELSEWHERE}
    for k in range(first, first + count):
        rule, options = everywhere(k)
        expected = of_numpy(rule, options)
        for where, other in ELSEWHERE.items():
            same = expected[other.get("arithmetic", "float")]
            row = partial(_learned, rule, {**other, **options}, same)
            rows[where].add(k, row)
    yield from rows.values()


def _learned(rule: Rule, options: dict[str, Any], expected: dict[str, Any]) -> int:
    """Compare what an agent learns; return how many projections have an eligibility."""
    got = learned(rule, "native", 1, **options)
    check_equal(got, expected)
    return sum(bool(x.any()) for name, x in got.items() if name.startswith("e "))


@exit_status("random_networks")
def main(arguments: list[str] | None = None) -> int:
    """Compare everything; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=300, metavar="N")
    parser.add_argument(
        "--driven", type=int, default=300, metavar="N", help="with time, waves, draws and noise"
    )
    parser.add_argument("--cython", type=int, default=30, metavar="N", help="of these on cython")
    parser.add_argument("--chip", type=int, default=100, metavar="N", help="with a chip form")
    parser.add_argument("--rules", type=int, default=100, metavar="N")
    parser.add_argument("--only", choices=FLOAT, help="networks in one place, and nothing else")
    parser.add_argument("--unoptimised", action="store_true", help="compile with -O0")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="first number")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    first, rows = options.first, []
    if options.unoptimised:
        EXACT_FLAGS[EXACT_FLAGS.index("-O3")] = "-O0"
    parts = [
        networks(first, options.networks, options.cython, options.only),
        networks(first, options.driven, options.cython, options.only, driven=True),
    ]
    if options.only is None:
        parts += [chip_networks(first, options.chip), rules(first, options.rules)]
    for part in parts:
        begun = time.process_time()
        for row in part:
            rows.append(row)
            if not options.json:
                seconds = time.process_time() - begun
                show(f"{row.where}: {row.cases}, {len(row.differing)} differ, {seconds:.0f} CPU s")
            begun = time.process_time()
    rows = [row for row in rows if row.cases]
    differing = [line for row in rows for line in row.differing]
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return int(bool(differing))
    for line in differing:
        print(line)
    cells = [[r.what, r.where, *map(str, (r.cases, r.active, len(r.differing)))] for r in rows]
    print_table(("what", "where", "cases", "active", "disagreements"), cells)
    return int(bool(differing))


if __name__ == "__main__":
    raise SystemExit(main())
