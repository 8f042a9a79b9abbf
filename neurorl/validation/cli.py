"""Compare simulators, and say why they differ (``neurorl validate``)."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from neurorl.cli.options import TRUST, added, look_here
from neurorl.cli.output import cell, print_table, steps_progress
from neurorl.errors import ArgumentError

if TYPE_CHECKING:
    from neurorl.validation.compare import Row
    from neurorl.validation.result import Agreement

HELP = "run a network on several backends and say how far they agree"


add_arguments = added(f"""
what RUN_OR_MODEL      a run, zoo:NAME, lif, glm, lif-spiking-critic, a feature such as 'currents',
    a .nir file, or with --learn a rule of statements: pairs, reward, oja, bcm, dopamine
--backends A,B         the others are held against the first; such as reference,brian2:cython or
    reference:float,loihi (default: all that are installed and can run it); with a rule also
    learners of other packages, such as nestml and nest-dopamine of neurorl-nest
--arithmetic A         float or loihi, of those that have it (default: own)
--target T             of backend loihi: auto (default; a chip if NxSDK is installed), emulator or
    loihi; or a simulator that is no backend, held against the reference: pynn.nest or pynn.brian2
--without-noise        leave escape noise out, on both sides; with a --target of PyNN
--steps N int =1000    default 1000
--seed N int =0        decides everything
--learn                also train, and compare that
--updates N int =100   of the weights, with --learn
--env ENV_ID =CartPole-v1  task of a MODEL
{TRUST}
--dt S float           step of a .nir file, seconds
--report FILE.html path  one page to read
--json                 print one JSON object
""")

_OF_ALL = ("steps", "seed", "env", "dt", "trust_env")
"""Name the options of everything that is compared by its spikes."""


def run(arguments: argparse.Namespace) -> int:
    from neurorl.testing.rules import RULES
    from neurorl.validation import validate
    from neurorl.validation.elsewhere import TARGETS

    if arguments.trust_env:
        look_here()
    if arguments.target in TARGETS or str(arguments.target).startswith("pynn."):
        return _run_elsewhere(arguments)
    if arguments.without_noise:
        limit = ", ".join(TARGETS)
        raise ArgumentError("--without-noise", "goes with another --target", limit=limit)
    if arguments.what in RULES:
        return _run_rule(arguments)
    of_backends = ("arithmetic", "learn", "updates", "target")
    given = {name: getattr(arguments, name) for name in (*_OF_ALL, *of_backends)}
    with steps_progress("validating") as advance:
        result = validate(arguments.what, arguments.backends, **given, advance=advance)
    if arguments.report is not None:
        result.write(arguments.report)
    return _tell(result, arguments.json)


def _run_rule(arguments: argparse.Namespace) -> int:
    """Compare backends on which synapses learn by a rule of statements."""
    from neurorl.validation.plasticity import told_apart, validate_rule
    from neurorl.validation.report import read_specs

    if not arguments.learn or arguments.report is not None:
        what = "is compared by what it learns, in a table"
        raise ArgumentError(arguments.what, what, remedy="--learn, without --report")
    backends, others = told_apart(arguments.backends or "reference,native")
    specs = read_specs(backends, arguments.arithmetic, least=1 if others else 2)
    found = validate_rule(arguments.what, specs, seed=arguments.seed, others=others)
    return _tell(found, arguments.json)


def _run_elsewhere(arguments: argparse.Namespace) -> int:
    """Compare the reference with a simulator that is no backend."""
    from neurorl.validation.elsewhere import validate_on

    given = {"--backends": arguments.backends, "--arithmetic": arguments.arithmetic}
    given |= {"--learn": arguments.learn or None, "--report": arguments.report}
    for option, value in given.items():
        if value is not None:
            remedy = "leave it out: the reference is compared, in float"
            where = f"{option} with --target {arguments.target}"
            raise ArgumentError(where, "doesn't apply", remedy=remedy)
    given = {name: getattr(arguments, name) for name in _OF_ALL}
    is_noisy = not arguments.without_noise
    result = validate_on(arguments.what, arguments.target, **given, noise=is_noisy)
    return _tell(result, arguments.json)


def _tell(result: Agreement, as_json: bool) -> int:
    """Print a result; return the exit status."""
    if as_json:
        print(json.dumps(result.to_dict()))
    else:
        _print(result)
    return 1 if result.verdict == "different" else 0


def _print(result: Agreement) -> None:
    for part in result.left_out:
        print(f"left out on both sides: {part}")
    for skipped in result.skipped:
        print(f"left out: {skipped['backend']}: {skipped['why']}")
    first, *others = result.backends
    for other in others:
        print(f"{first} and {other}")
        rows = [row for row in result.rows if row["backend_b"] == other]
        columns = ("what", "verdict", "difference", "first", "cause")
        print_table(columns, [_cells(row) for row in rows])
        print()
    for why in result.explanations:
        where = f"{why.population}, neuron {why.neuron}, step {why.step}"
        print(f"{why.backend_a} and {why.backend_b}, {where}: {why.cause}")
        print(f"  {why.detail}\n")
    for detail in dict.fromkeys(row["detail"] for row in result.rows if row.get("detail")):
        if not result.explanations:
            print(f"{detail}\n")
    for note in result.notes:
        print(f"note: {note}")
    how = f"{result.steps} steps, seed {result.seed}"
    print(f"{result.verdict}: {result.subject.name}, {how}")


def _cells(row: Row) -> list[str]:
    from neurorl.validation.compare import places

    shown = f"{row['quantity']} of {row['projection'] or row['population']}"
    difference = "-" if row["verdict"] == "exact" else cell(row["difference"])
    first = next(iter(places(row["first_divergence"])), "-")
    return [shown, row["verdict"], difference, first, cell(row["cause"])]
