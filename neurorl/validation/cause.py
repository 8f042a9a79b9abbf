"""The cause of a divergence: which lane isn't as its equations predict, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic import Arithmetic, initial_weights
from neurorl.described import FloatArray
from neurorl.description import Population
from neurorl.validation.equations import Predicted, Trial
from neurorl.validation.hypotheses import AT_THRESHOLD, hypotheses
from neurorl.validation.lanes import Lane
from neurorl.validation.membranes import membrane_scale
from neurorl.validation.quantised import quantised
from neurorl.validation.recording import Recording, record
from neurorl.validation.replay import VARIABLES, Replay
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["CAUSES", "FLOAT_ERROR", "Case", "Event", "expected_weights", "find_cause", "make_trial"]

CAUSES = (
    *("delay", "step order", "quantisation", "overflow", "clipping of weights", "refractory"),
    *("rounding of weights", "weights", "noise source", "threshold", "float error", "reset"),
    *("decay", "bias", "reset between decisions", "not repeatable", "unknown"),
)
"""Words for causes; also ``follows``, of what another population's difference brings about."""

FLOAT_ERROR = 1e-9  # of the membrane's scale
SINGLE_ERROR = 1e-5


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


def make_trial(case: Case, seen: Replay, population: Population) -> Trial:
    """A population of one lane's replay, and the weights that it should have."""
    expected = expected_weights(case.subject, seen.arithmetic, case.seed)
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
    case: Case, trials: list[Trial], plain: list[Predicted], event: Event
) -> tuple[str, str, str | None]:
    """Cause, detail and the label of the lane that departs; None if both follow the equations."""
    for trial in trials:
        if not trial.replay.repeats:
            label = trial.replay.lane.label
            detail = "from the same state and input it does something else the second time"
            return "not repeatable", f"{label}: {detail}", label
    for trial, predicted in zip(trials, plain, strict=True):
        if not _fits(trial, predicted, 0.0):
            found = _departure(case, trial, predicted)
            if found is not None:
                return *found, trial.replay.lane.label
    if trials[0].replay.lane.arithmetic != trials[1].replay.lane.arithmetic:
        return *quantised(trials, plain, event.step, event.neuron), None
    near = max(_error(t, p) for t, p in zip(trials, plain, strict=True))
    detail = f"both follow the equations within float error, {near:.1g} of the membrane's scale"
    if event.variable == "spikes":
        detail += ", and the membrane is that near to its threshold"
    return "float error", detail, None


def _departure(case: Case, trial: Trial, plain: Predicted) -> tuple[str, str] | None:
    """What is other in a lane that isn't as predicted; None if it is so within float error."""
    label = trial.replay.lane.label
    if _fits(trial, trial.predict(AT_THRESHOLD), 0.0):
        return AT_THRESHOLD.cause, f"{label}: {AT_THRESHOLD.detail}"
    if _fits(trial, plain):
        return None
    for change in hypotheses(trial):
        if _fits(trial, trial.predict(change)):
            return change.cause, f"{label}: {change.detail}"
    if _fits(trial, plain, SINGLE_ERROR):
        near = _error(trial, plain)
        detail = f"follows the equations to single precision only, {near:.1g} of the scale"
        return "float error", f"{label}: {detail}"
    if _spikes_alone(trial, plain):
        detail = "currents and membranes are as described, but the draws of noise aren't"
        return "noise source", f"{label}: {detail}"
    other = _in_other_arithmetic(case, trial)
    if other is not None:
        return "quantisation", f"{label}: {other}"
    where = _departs_in(trial, plain)
    return "unknown", f"{label}: {where} isn't as described, and no change that was tried fits"


def _fits(trial: Trial, predicted: Predicted, error: float = FLOAT_ERROR) -> bool:
    """Whether the lane did in every step what was predicted, within *error* of the scale.

    Where a membrane is that near to its threshold, a spike more or less is as predicted too. Chip
    integers have no error.
    """
    seen, name = trial.replay, trial.population.name
    scale = membrane_scale(trial.population, trial.network.dt)
    limit = error * scale if seen.lane.arithmetic == "float" else 0.0
    odd = seen.raster(name) != predicted.spikes
    unsure = (np.abs(predicted.level - predicted.threshold) <= limit) & (limit > 0)
    if (odd & ~unsure).any():
        return False
    apart = (np.abs(seen.states[name][v][1:] - getattr(predicted, v)) for v in VARIABLES)
    return not any((np.where(odd, 0.0, x) > limit).any() for x in apart)


def _error(trial: Trial, predicted: Predicted) -> float:
    """The largest distance of a membrane from what was predicted, where the spikes agree."""
    name = trial.population.name
    agrees = trial.replay.raster(name) == predicted.spikes
    apart = np.abs(trial.replay.states[name]["voltage"][1:] - predicted.voltage)
    largest = float(np.where(agrees, apart, 0.0).max())
    return largest / membrane_scale(trial.population, trial.network.dt)


def _spikes_alone(trial: Trial, plain: Predicted) -> bool:
    """Whether only spikes of neurons with noise are odd, and what a spike does to the state."""
    name, seen = trial.population.name, trial.replay
    d = trial.population.neuron.dynamics(trial.population.size, trial.network.dt)
    odd = seen.raster(name) != plain.spikes
    if not (odd.any() and d.noise_width.any()) or odd[:, d.noise_width == 0].any():
        return False
    return not any(
        ((seen.states[name][v][1:] != getattr(plain, v)) & ~odd).any() for v in VARIABLES
    )


def _in_other_arithmetic(case: Case, trial: Trial) -> str | None:
    """Whether all its spikes so far are those of the reference in the other arithmetic."""
    seen = trial.replay
    other = "loihi" if seen.lane.arithmetic == "float" else "float"
    n_steps = seen.first + seen.n_steps
    ends = np.cumsum([w.n_steps for w in case.stimulus])
    windows = case.stimulus[: int(np.searchsorted(ends, n_steps)) + 1]
    reference = record(case.subject, Lane("reference", other), windows, case.seed)
    own = case.recordings[seen.lane.label].rasters
    for name, raster in reference.rasters.items():
        if not np.array_equal(raster, own[name][: len(raster)]):
            return None
    kind = "chip" if other == "loihi" else other
    return f"all spikes are those of {kind} arithmetic"


def _departs_in(trial: Trial, plain: Predicted) -> str:
    name = trial.population.name
    for v in VARIABLES:
        if not np.array_equal(trial.replay.states[name][v][1:], getattr(plain, v)):
            return f"its {v}"
    return "its spikes"
