"""Run `validate`: a subject on several backends, as one report.

If training differs, it says where: in spikes, in the rule, or in the weights that a backend holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from neurorl.agents.local import SpikingActorCritic
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.registry import available_backends
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.network.description import Network
from neurorl.network.replicate import on_chip
from neurorl.numerics.random import read_seed
from neurorl.storage.files import write_bytes
from neurorl.storage.plain import PlainData, check_count
from neurorl.validation.compare import Pair, Row, caused, compare, warn_of_silence
from neurorl.validation.explain import Explanation, explain
from neurorl.validation.history import History, Scenario
from neurorl.validation.learning import Contrast, Moment, TrainingOutcome, train, training_rows
from neurorl.validation.page import page
from neurorl.validation.result import Result
from neurorl.validation.subject import TASK, InputWindow, Subject, make_stimulus, make_subject
from neurorl.validation.ties import ties
from neurorl.validation.tolerance import Tolerance

Recordings = Sequence[History]
_CAUSES = {
    "trace": ("learning rule", "traces of the same spikes differ"),
    "eligibility": ("learning rule", "eligibilities differ, and no spike or trace does"),
    "critic": ("learning rule", "the critic's values differ, and no weight does"),
}


def _why(scenario: Scenario, contrast: Contrast) -> tuple[str, str, list[Explanation]]:
    """Return cause, detail and explanations of what is learned otherwise."""
    moment = contrast.moment
    if moment is None:
        return "", "", []
    where = f"from update {moment.update} on, first in {moment.quantity} of {moment.name}"
    if contrast.a.spec.arithmetic != contrast.b.spec.arithmetic:
        return "quantisation", f"the arithmetics differ; {where}", []
    if moment.quantity == "spikes":
        explanations = _explain_windows(scenario, contrast, moment)
        detail = "; ".join([where, *(f"{e.cause}: {e.detail}" for e in explanations[:1])])
        return "follows" if explanations else "unknown", detail, explanations
    if moment.quantity in _CAUSES:
        cause, reason = _CAUSES[moment.quantity]
        return cause, f"{where}: {reason}", []
    late: list[Explanation] = []
    if moment.windows:  # run the window that would follow: are weights held as written?
        last = moment.windows[-1]
        writes = [(name, w) for (of, name), w in moment.after.items() if of == "weights"]
        found = _explain_of(scenario, contrast, [*moment.windows, last._replace(writes=writes)])
        late = [e for e in found if e.cause in ("writes", "weights", "rounding of weights")]
    cause, reason = (late[0].cause, late[0].detail) if late else _held(moment)
    return cause, f"{where}: {reason}", late


def _held(moment: Moment) -> tuple[str, str]:
    """Explain weights that differ though the eligibilities that changed them don't.

    The rule is the same code for all backends, so the backend must hold other weights.
    """
    held = moment.held
    for bits in range(2, 31):
        unit = 2.0**-bits
        if not moment.apart <= unit:
            break
        if np.array_equal(np.rint(held / unit) * unit, held):
            detail = f"weights held are multiples of 2^-{bits}, up to {moment.apart:.3g} away"
            return "rounding of weights", f"{detail} from the rule's"
    return "weights", f"weights held are others than the rule's, up to {moment.apart:.3g} away"


def _explain_windows(scenario: Scenario, contrast: Contrast, moment: Moment) -> list[Explanation]:
    """Run all windows until an update again, or its own, with the weights they were run with."""
    if moment.windows is not None:
        return _explain_of(scenario, contrast, moment.windows)
    config = scenario.subject.config
    assert config is not None
    if config.carries:
        return []  # what it started from is not kept
    weights = {name: w for (quantity, name), w in moment.before.items() if quantity == "weights"}
    then = dataclasses.replace(scenario.subject, weights=weights, t=moment.t)
    stimulus = [InputWindow(moment.inputs, config.window, True)]
    return _explain_of(dataclasses.replace(scenario, subject=then), contrast, stimulus)


def _explain_of(
    scenario: Scenario, contrast: Contrast, windows: list[InputWindow]
) -> list[Explanation]:
    scenario = dataclasses.replace(scenario, stimulus=windows)
    return explain(scenario, scenario.record(contrast.a.spec), scenario.record(contrast.b.spec))


def read_specs(
    backends: str | Sequence[str | BackendSpec | type[Simulator]] | None = None,
    arithmetic: str | None = None,
    target: str | None = None,
    least: int = 2,
) -> list[BackendSpec]:
    """Return specs with an arithmetic each; None for *backends* takes all that are installed.

    backends: such as ``reference:float,brian2:cython,loihi``, or a list.
    arithmetic: of those that have it and name none themselves; the others take their own. target:
    of those that have targets.
    Raises ArgumentError for fewer than the least number, one twice or an arithmetic that none has,
    UnknownNameError, or BackendUnavailableError.
    """
    if arithmetic is not None:
        find_arithmetic(arithmetic)
    if backends is None:
        backends = [row["name"] for row in available_backends() if row["available"]]
    choices = backends.split(",") if isinstance(backends, str) else backends
    specs = []
    for spec in map(BackendSpec.parse, choices):
        takes_it = spec.arithmetic is None and arithmetic in spec.arithmetics
        own = arithmetic if takes_it else spec.chosen_arithmetic
        specs.append(dataclasses.replace(spec, arithmetic=own))
    _check_in(arithmetic, specs)
    if target is not None:
        specs = _on_target(specs, target)
    labels = [spec.label for spec in specs]
    if len(specs) < least:
        limit = "two or more, such as reference,native"
        raise ArgumentError("backends", "nothing to compare", got=",".join(labels), limit=limit)
    for label in labels:
        if labels.count(label) > 1:
            raise ArgumentError("backends", "one is named twice", got=label)
    return specs


def _check_in(arithmetic: str | None, specs: list[BackendSpec], why: str | None = None) -> None:
    """Raise ArgumentError if the arithmetic that was asked for isn't compared."""
    if arithmetic not in {None, *(spec.arithmetic for spec in specs)}:
        where, remedy = f"validate, arithmetic {arithmetic}", "name another, or others of backends"
        raise ArgumentError(where, "no backend runs in it", got=why, remedy=remedy)


def _on_target(specs: list[BackendSpec], target: str) -> list[BackendSpec]:
    """Return specs with the option *target*, of those that have it. Raises ArgumentError."""
    of = {"target": target}
    chosen = [BackendSpec.of(x, options=of) if x.has_option("target") else x for x in specs]
    if chosen == specs:
        limit = "such as loihi"
        remedy = "of simulators that are no backends, such as pynn.nest: validate_on"
        told = {"got": target, "limit": limit, "remedy": remedy if "." in target else None}
        raise ArgumentError("validate, target", "no backend has one", **told)
    return chosen


class Validation(Result):
    """Hold the results of `validate`, and write them as a page."""

    def write(self, path: str | Path) -> Path:
        """Write one self-contained HTML page, return *path*; raises ArgumentError if it can't."""
        path = Path(path)
        write_bytes(path, page(self).encode(), "report", ArgumentError)
        return path


_UPDATES = 100


def validate(
    what: str | Path | Network | SpikingActorCritic,
    backends: str | Sequence[str | BackendSpec | type[Simulator]] | None = None,
    *,
    arithmetic: str | None = None,
    steps: int = 1000,
    seed: int = 0,
    learn: bool = False,
    updates: int = _UPDATES,
    env: str = TASK,
    overrides: PlainData | None = None,
    dt: float | None = None,
    trust_env: bool = False,
    target: str | None = None,
    tolerance: Tolerance | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> Validation:
    """Run a network with the same inputs and noise on several backends; say how far they agree.

    what: a network, an agent, a run directory, the name of a model or a ``.nir`` file.
    backends: two or more, such as ``'reference:float,loihi'``, or your own classes; the others are
    held against the first. None takes all that are installed and can run it.
    steps: at least so many. learn: also train, with *updates* of the weights. env, overrides: task
    and fields of a model. dt: step of a ``.nir`` file, s. trust_env: of a run, as in
    `SpikingActorCritic.load`.
    target: of those backends that have one, such as ``'emulator'``.
    advance: called with what is done and how much there is.

    Raises NeurorlError for bad arguments.

    >>> from neurorl.validation import validate
    >>> validate("lif", "reference,brian2:numpy", steps=24).verdict
    'exact'
    """
    seed = read_seed(seed, "validate.seed")
    for name, value in (("steps", steps), ("updates", updates)):
        check_count(f"validate.{name}", value)
    if updates != _UPDATES and not learn:
        raise ArgumentError("validate.updates", "are of learning", got=updates, remedy="learn too")
    subject = make_subject(what, env, overrides, dt, trust_env)
    specs = read_specs(backends, arithmetic, target)
    skipped: list[dict[str, str]] = []
    if backends is None:
        specs, skipped = _runnable(specs, subject.network)
    if learn and subject.config is None:
        raise ArgumentError("validate", "a network without an agent can't learn")
    subject, specs, skipped = _as_the_chip_has_it(subject, specs, skipped, backends is None)
    _check_in(arithmetic, specs, "; ".join(f"{s['backend']}: {s['why']}" for s in skipped))
    limits = tolerance or Tolerance()
    stimulus = make_stimulus(subject, steps, seed, specs[0].chosen_arithmetic)
    total = len(specs) * (sum(w.n_steps for w in stimulus) + learn * updates)
    done = 0

    def stepped(n: int) -> None:
        nonlocal done
        done += n
        if advance is not None:
            advance(done, total)

    scenario = Scenario(subject, stimulus, seed)
    recordings = [scenario.record(spec, stepped) for spec in specs]
    warn_of_silence(*(recording.rasters for recording in recordings))
    traces = [scenario.replay(recording, 0) for recording in recordings]
    rows, explanations = _compare_all(scenario, recordings, traces, limits)
    trainings: list[TrainingOutcome] = []
    if learn:
        trainings, contrasts = train(subject, specs, seed, updates, stepped)
        for contrast in contrasts:
            cause, detail, explained = _why(scenario, contrast)
            learned = training_rows(subject.network, contrast, limits)
            rows += [caused(row, cause, detail) for row in learned]
            explanations += explained
    command = None
    if tolerance is None and not overrides:
        command = _command(subject, specs, seed, steps, learn, updates)
    labels, n_steps = [spec.label for spec in specs], sum(w.n_steps for w in stimulus)
    found = subject, labels, rows, seed, n_steps, explanations, (), skipped
    return Validation(*found, stimulus, recordings, traces, trainings, command)


def _compare_all(
    scenario: Scenario, recordings: Recordings, traces: Recordings, limits: Tolerance
) -> tuple[list[Row], list[Explanation]]:
    """Compare all recordings with the first; explain where they differ."""
    rows: list[Row] = []
    explanations: list[Explanation] = []
    for other, trace in zip(recordings[1:], traces[1:], strict=True):
        pair = (traces[0], trace)
        compared = compare(scenario, (recordings[0], other), pair, limits)
        explained = explain(scenario, recordings[0], other, pair)
        rows += [_with_cause(scenario.network, row, explained) for row in compared]
        explanations += explained
        if not explained:
            tied = ties(scenario, Pair.of(recordings[0].spec, other.spec, limits), other.spec)
            rows, explanations = rows + tied[0], explanations + tied[1]
    return rows, explanations


def _as_the_chip_has_it(
    subject: Subject, specs: list[BackendSpec], skipped: list[dict[str, str]], leaves_out: bool
) -> tuple[Subject, list[BackendSpec], list[dict[str, str]]]:
    """Return the subject of `on_chip` if all are in chip arithmetic; else leave these out.

    leaves_out: without, raise UnsupportedError: variables of equations have no others beside them.
    """
    network = on_chip(subject.network)
    if network is subject.network or not any(spec.is_chip for spec in specs):
        return subject, specs, skipped
    if all(spec.is_chip for spec in specs):
        return dataclasses.replace(subject, network=network), specs, skipped
    what = "equations run in chip arithmetic as LIF or CubaLIF, with other variables"
    remedy = "validate neurorl.models.on_chip(network), or in one arithmetic"
    kept = [s for s in specs if not s.is_chip]
    if not leaves_out or len(kept) < 2:
        raise UnsupportedError("validate", what, remedy=remedy)
    told = [{"backend": s.label, "why": f"{what}; {remedy}"} for s in specs if s.is_chip]
    return subject, kept, skipped + told


def _runnable(
    specs: list[BackendSpec], network: Network
) -> tuple[list[BackendSpec], list[dict[str, str]]]:
    """Return the specs that can run a network, and what the others lack. Raises ArgumentError."""
    problems = [(spec, "; ".join(spec.problems(network))) for spec in specs]
    can = [spec for spec, why in problems if not why]
    skipped = [{"backend": spec.label, "why": why} for spec, why in problems if why]
    if len(can) < 2:
        got = "; ".join(f"{s['backend']}: {s['why']}" for s in skipped)
        raise ArgumentError("validate", "fewer than two backends can run it", got=got)
    return can, skipped


def _with_cause(network: Network, row: Row, explanations: Sequence[Explanation]) -> Row:
    """Add to a row the cause of its own population, or of one that leads to it."""
    is_within, name = row["verdict"] == "within", row["population"]
    if row["quantity"] == "weights":
        detail = "the chip's mantissas of 8 bits" if is_within else "the backend holds others"
        return caused(row, "quantisation" if is_within else "weights", detail)
    for e in explanations:
        if e.population == name:
            return caused(row, e.cause, e.detail)
    for e in explanations:
        if network.steps(e.population, name) is not None:
            return caused(row, "follows", e.onward)
    return caused(row, *(("quantisation", "no spike moved") if is_within else (None, None)))


def _command(
    subject: Subject, specs: Sequence[BackendSpec], seed: int, steps: int, learn: bool, updates: int
) -> str | None:
    """Return the command line that repeats the validation; None if only Python can."""
    if subject.argument is None or any(spec.cls is not None for spec in specs):
        return None
    parts = ["neurorl validate", subject.argument]
    parts += [f"--backends {','.join(spec.label for spec in specs)}", f"--steps {steps}"]
    parts += [f"--seed {seed}"]
    parts += [f"--learn --updates {updates}"] if learn else []
    return " ".join(parts)
