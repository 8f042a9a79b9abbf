"""Compare learning by rules of statements on all backends, and with NEST's own dopamine synapse.

    python scripts/validate_plasticity.py [--backends reference,native] [--delays 1,2,3]
    python scripts/validate_plasticity.py --faults
    python scripts/validate_plasticity.py --page docs/validation.md

The rules are those of `neurorl.testing.rules`; NEST 3.10 takes part if it is installed. `--faults`
judges what is said of the faulty learners in ``tests/validation/faults/learners.py``.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "nest_backend"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "validation"))

from faults.learners import LEARNERS, LEARNERS_HELD_OUT, judge

from experiments.validation_page import insert
from neurorl.backends.plugins import installed_version
from neurorl.backends.spec import BackendSpec
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status
from neurorl.errors import UnsupportedError
from neurorl.testing.rules import RULES, lessons_of, rule_network
from neurorl.validation.courses import course
from neurorl.validation.plasticity import Learner, RuleAgreement, validate_rule

MARKS = ("<!-- plasticity: start -->", "<!-- plasticity: end -->")
BACKENDS = "reference,native,brian2,torch"


@exit_status("validate_plasticity")
def main(arguments: list[str] | None = None) -> int:
    """Compare, or judge faults; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", default=BACKENDS, metavar="A,B")
    parser.add_argument("--delays", default="1,2,3", help="of synapses, in steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", action="store_true", help="judge faulty learners")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="put the table there")
    options = parser.parse_args(arguments)
    if options.faults:
        return _judge()
    delays = [int(x) for x in options.delays.split(",")]
    specs = [BackendSpec.parse(f"{name}:float") for name in options.backends.split(",")]
    found = {
        (name, delay): validate_rule(
            name,
            specs,
            seed=options.seed,
            delay=delay * 1e-3,
            others=[x for x in _others() if _serves(x, name)],
        )
        for name in RULES
        for delay in delays
    }
    table, causes = _table(found), _causes(found)
    print(table, causes, sep="\n\n")
    if options.page is not None:
        insert(
            options.page, f"`python scripts/validate_plasticity.py`:\n\n{table}\n\n{causes}", MARKS
        )
    return 0


def _others() -> list[Learner]:
    """Return NEST's synapses, if it is installed: its own, and with pynestml those of NESTML."""
    if installed_version("nest-simulator") is None:
        return []
    from neurorl_nest.learners import of_dopamine, of_nestml

    return [of_dopamine, *[of_nestml] * (installed_version("nestml") is not None)]


@functools.cache
def _serves(learner: Learner, name: str) -> bool:
    """Return whether a learner takes a rule; say so if it refuses."""
    network, rule = rule_network(), RULES[name]()
    lessons = lessons_of(network, rule, n=1)
    try:
        first = course(network, rule, lessons, BackendSpec("reference", "float"))
        learner(network, rule, lessons, first)
    except UnsupportedError as exc:
        print(f"left out: {exc}", file=sys.stderr)
        return False
    return True


def _table(found: dict[tuple[str, int], RuleAgreement]) -> str:
    """Return the largest difference of each rule and learner, over delays, of the largest value."""
    lines = [
        "| rule | compared with `reference` | numbers compared | largest difference | verdict |"
    ]
    lines.append("|---|---|---|---|---|")
    for name in RULES:
        of = [result for (rule, _), result in found.items() if rule == name]
        for other in of[0].backends[1:]:
            rows = [r for result in of for r in result.rows if r["backend_b"] == other]
            most, count = max(r["difference"] for r in rows), sum(r["compared"] for r in rows)
            verdict = "different" if most else "exact"
            shown = f"`{other}`" if ":" in other else other
            lines.append(f"| {name} | {shown} | {count:,} | {most:.2g} | {verdict} |")
    return "\n".join(lines)


def _causes(found: dict[tuple[str, int], RuleAgreement]) -> str:
    """Return a list of what is said of each rule and delay."""
    told = {
        (name, delay, r["backend_b"]): f"*{r['cause']}*: {r['detail']}"
        for (name, delay), result in found.items()
        for r in result.rows
        if r["cause"]
    }
    lines = (f"- {x}, {who}, delay of {d} step(s): {why}" for (x, d, who), why in told.items())
    return "\n".join(lines)


def _judge() -> int:
    """Print what is said of faulty learners; return 1 if one is named wrongly."""
    counts: dict[str, Counter[str]] = {}
    for name, mistakes in (("tuned", LEARNERS), ("held out", LEARNERS_HELD_OUT)):
        counts[name] = Counter()
        for mistake in mistakes:
            verdict, told = judge(mistake)
            counts[name][verdict] += 1
            print(f"{name}: {mistake.name}: {verdict}: {told}")
    verdicts = ("rightly", "unknown", "wrongly", "not seen")
    print_table(
        ("set", *verdicts), [[k, *(str(c[v]) for v in verdicts)] for k, c in counts.items()]
    )
    return int(any(c["wrongly"] for c in counts.values()))


if __name__ == "__main__":
    raise SystemExit(main())
