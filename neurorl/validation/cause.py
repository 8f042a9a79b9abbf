"""The cause of a divergence: which lane isn't as its equations predict, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic, initial_weights
from neurorl.network.description import Population
from neurorl.network.serialization import FloatArray
from neurorl.validation.diagnosis import Diagnosis, diagnose
from neurorl.validation.equations import Predicted, Trial
from neurorl.validation.lanes import Lane
from neurorl.validation.membranes import membrane_scale
from neurorl.validation.quantised import quantised
from neurorl.validation.recording import Recording, record
from neurorl.validation.replay import VARIABLES, Replay, some
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["CAUSES", "Case", "Event", "expected_weights", "find_cause", "follows", "make_trial"]

CAUSES = (
    *("delay", "step order", "quantisation", "overflow", "clipping of weights", "refractory"),
    *("rounding of weights", "weights", "noise source", "threshold", "float error", "reset"),
    *("decay", "bias", "floor", "ceiling", "reset between decisions", "between calls", "writes"),
    *("not repeatable", "unknown"),
)
"""Words for causes; also ``follows``, of what another population's difference brings about."""


@dataclass(frozen=True)
class Case:
    """All that an explanation may ask for."""

    subject: Subject
    stimulus: Sequence[InputWindow]
    recordings: dict[str, Recording]
    seed: int


@dataclass(frozen=True)
class Event:
    """Where two replays first differ, and in what: a variable, or ``'spikes'``."""

    step: int  # of the replay
    neuron: int
    variable: str


def make_trial(case: Case, seen: Replay, population: Population, window: int) -> Trial:
    """A population of one lane's replay from a window on, and the weights that it should have."""
    expected = expected_weights(case.subject, seen.arithmetic, case.seed)
    for one in case.stimulus[: window + 1]:
        for name, weights in one.writes.items():
            expected[name] = seen.arithmetic.round(name, seen.arithmetic.masked(name, weights))
    return Trial(case.subject.network, seen, population, expected, case.seed)


def expected_weights(subject: Subject, arithmetic: Arithmetic, seed: int) -> dict[str, FloatArray]:
    """Those that should be in force: given, or drawn, as an arithmetic rounds them."""
    found = {}
    for p in subject.network.projections:
        given = subject.weights.get(p.name)
        weights = initial_weights(subject.network, p.name, seed) if given is None else given
        found[p.name] = arithmetic.round(p.name, arithmetic.masked(p.name, weights))
    return found


def find_cause(
    case: Case, trials: list[Trial], plain: list[Predicted], event: Event, window: int
) -> tuple[str, str, str | None]:
    """Cause, detail and the label of the lane that departs; None if both follow the equations."""
    for trial, predicted in zip(trials, plain, strict=True):
        if not trial.replay.repeats or not follows(trial, predicted):
            found = _departure(case, trial, window)
            if found is not None:
                label = trial.replay.lane.label
                return found.cause, f"{label}: {found.detail}", label
    if trials[0].replay.lane.arithmetic != trials[1].replay.lane.arithmetic:
        return *quantised(trials, plain, event.step, event.neuron), None
    if all(follows(t, p) for t, p in zip(trials, plain, strict=True)):
        detail = (
            "both are as described in every step, to the bit: what differs is what they are sent"
        )
        return "unknown", detail, None
    near = max(_error(t, p) for t, p in zip(trials, plain, strict=True))
    detail = f"both follow the equations within float error, {near:.1g} of the membrane's scale"
    if event.variable == "spikes":
        detail += ", and the membrane is that near to its threshold"
    return "float error", detail, None


def _departure(case: Case, trial: Trial, window: int) -> Diagnosis | None:
    """What is other in a lane that isn't as predicted; None if it is so within float error."""
    lane = trial.replay.lane
    windows = [*case.stimulus[:window], *some(case.stimulus[window:])]
    found = diagnose(
        case.subject, windows, case.recordings[lane.label], trial.population, window, case.seed
    )
    if found is not None and found.is_open:
        other = _in_other_arithmetic(case, trial)
        if other is not None:
            return Diagnosis("quantisation", other)
    return found


def follows(trial: Trial, predicted: Predicted) -> bool:
    """Whether the lane did in every step what was predicted, to the bit."""
    seen, name = trial.replay, trial.population.name
    return np.array_equal(seen.raster(name), predicted.spikes) and all(
        np.array_equal(seen.states[name][v][1:], getattr(predicted, v)) for v in VARIABLES
    )


def _error(trial: Trial, predicted: Predicted) -> float:
    """The largest distance of a membrane from what was predicted, where the spikes agree."""
    name = trial.population.name
    agrees = trial.replay.raster(name) == predicted.spikes
    apart = np.abs(trial.replay.states[name]["voltage"][1:] - predicted.voltage)
    largest = float(np.where(agrees, apart, 0.0).max())
    return largest / membrane_scale(trial.population, trial.network.dt)


def _in_other_arithmetic(case: Case, trial: Trial) -> str | None:
    """Whether all its spikes so far are those of the reference in the other arithmetic only."""
    seen = trial.replay
    mine = seen.lane.arithmetic
    other = "loihi" if mine == "float" else "float"
    n_steps = seen.first + seen.n_steps
    ends = np.cumsum([w.n_steps for w in case.stimulus])
    windows = case.stimulus[: int(np.searchsorted(ends, n_steps)) + 1]
    own = case.recordings[seen.lane.label].rasters
    equal = {}
    for name in (mine, other):
        reference = record(case.subject, Lane("reference", name), windows, case.seed)
        equal[name] = all(
            np.array_equal(raster, own[population][: len(raster)])
            for population, raster in reference.rasters.items()
        )
    if equal[mine] or not equal[other]:
        return None
    kind = "chip" if other == "loihi" else other
    return f"all spikes are those of {kind} arithmetic"
