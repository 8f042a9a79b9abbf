"""Run `validate`: a subject on several backends, as one report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neurorl.agents.arguments import check_count
from neurorl.agents.local import SpikingActorCritic
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.network.description import Network
from neurorl.network.replicate import on_chip
from neurorl.numerics.random import read_seed
from neurorl.storage.files import write_bytes
from neurorl.validation.compare import Row, compare, warn_of_silence
from neurorl.validation.explain import Explanation, explain
from neurorl.validation.learning import TrainingOutcome, train
from neurorl.validation.page import page
from neurorl.validation.recording import Scenario, SubjectRecording
from neurorl.validation.result import Result
from neurorl.validation.specs import read_specs
from neurorl.validation.stimulus import make_stimulus
from neurorl.validation.subject import DEFAULT_ENV, Subject, make_subject
from neurorl.validation.taught import explain_training
from neurorl.validation.tolerance import Tolerance


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
    env: str = DEFAULT_ENV,
    overrides: dict[str, Any] | None = None,
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
            learned, explained = explain_training(scenario, contrast, limits)
            rows += learned
            explanations += explained
    command = None
    if tolerance is None and not overrides:
        command = _command(subject, specs, seed, steps, learn, updates)
    return Validation(
        subject=subject,
        stimulus=stimulus,
        recordings=recordings,
        traces=traces,
        trainings=trainings,
        rows=rows,
        explanations=explanations,
        seed=seed,
        command=command,
        skipped=skipped,
    )


def _compare_all(
    scenario: Scenario,
    recordings: Sequence[SubjectRecording],
    traces: Sequence[SubjectRecording],
    limits: Tolerance,
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
    can, skipped = [], []
    for spec in specs:
        problems = spec.problems(network)
        if problems:
            skipped.append({"backend": spec.label, "why": "; ".join(problems)})
        else:
            can.append(spec)
    if len(can) < 2:
        got = "; ".join(f"{s['backend']}: {s['why']}" for s in skipped)
        raise ArgumentError("validate", "fewer than two backends can run it", got=got)
    return can, skipped


def _with_cause(network: Network, row: Row, explanations: Sequence[Explanation]) -> Row:
    """Add to a row the cause of its own population, or of one that leads to it."""
    if row["verdict"] == "exact":
        return {**row, "cause": None, "detail": None}
    if row["quantity"] == "weights":
        chip = row["verdict"] == "within"
        detail = "the chip's mantissas of 8 bits" if chip else "the backend holds others"
        return {**row, "cause": "quantisation" if chip else "weights", "detail": detail}
    name = row["population"]
    for e in explanations:
        if e.population == name:
            return {**row, "cause": e.cause, "detail": e.detail}
    for e in explanations:
        if network.steps(e.population, name) is not None:
            detail = f"{e.cause} in {e.population} from step {e.step} on"
            return {**row, "cause": "follows", "detail": detail}
    if row["verdict"] == "within":
        return {**row, "cause": "quantisation", "detail": "no spike moved"}
    return {**row, "cause": None, "detail": None}


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
