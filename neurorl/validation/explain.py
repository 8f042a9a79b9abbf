"""Why two lanes differ: replays around their first divergence, held against the equations.

Each step of each lane is predicted from the state and spikes that the lane itself had before it
(`neurorl.validation.equations`). A lane whose every step is as predicted follows the description;
one that doesn't is predicted again with one thing changed, until a change fits
(`neurorl.validation.hypotheses`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import Arithmetic, initial_weights
from neurorl.described import FloatArray
from neurorl.description import Population
from neurorl.validation.compare import membrane_scale, place, unit
from neurorl.validation.equations import Change, Predicted, Trial
from neurorl.validation.hypotheses import AT_THRESHOLD, hypotheses
from neurorl.validation.lanes import Lane
from neurorl.validation.quantised import quantised
from neurorl.validation.recording import Recording, record
from neurorl.validation.replay import VARIABLES, Replay, replay
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["CAUSES", "Explanation", "expected_weights", "explain"]

CAUSES = (
    *("delay", "step order", "quantisation", "overflow", "clipping of weights", "refractory"),
    *("rounding of weights", "weights", "noise source", "threshold", "float error", "reset"),
    *("decay", "bias", "reset between decisions", "not repeatable", "unknown"),
)
"""Words for causes; also ``follows``, of what another population's difference brings about."""

FLOAT_ERROR = 1e-9  # of the membrane's scale
_AROUND = (4, 3)  # steps before and after the divergence that are shown


@dataclass(frozen=True)
class Explanation:
    """Why a population of two lanes differs, first in one neuron.

    lane: label of the one that departs from the description; None if both follow it. detail: a
    sentence. step: of the stimulus; checked: steps that were predicted. numbers: rows for a
    table, by step: what each lane had, before (level) and after the threshold.
    """

    cause: str
    detail: str
    population: str
    neuron: int
    step: int
    window: int
    step_in_window: int
    variable: str
    backend_a: str
    backend_b: str
    lane: str | None
    checked: int
    numbers: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Case:
    """All that an explanation may ask for."""

    subject: Subject
    stimulus: Sequence[InputWindow]
    recordings: dict[str, Recording]
    seed: int


@dataclass(frozen=True)
class _Event:
    step: int  # of the replay
    neuron: int
    variable: str


def explain(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    a: Recording,
    b: Recording,
    seed: int,
) -> list[Explanation]:
    """An explanation of each population that differs for reasons of its own; others follow.

    Populations are taken in the order in which spikes reach them.
    """
    network = subject.network
    case = _Case(subject, stimulus, {r.lane.label: r for r in (a, b)}, seed)
    found: list[Explanation] = []
    for population in sorted(network.populations, key=lambda p: network.depth(p.name)):
        for limit in _limits(population, network.dt, a, b):
            window = _first_window(stimulus, a, b, population.name, limit)
            if window is None:
                continue
            if not _follows(subject, found, population.name, window):
                pair = [replay(subject, r, stimulus, window, seed) for r in (a, b)]
                event = _event(pair[0], pair[1], population.name, limit)
                if event is not None:
                    found.append(_explain(case, pair, population, event))
            break
    return found


def _limits(population: Population, dt: float, a: Recording, b: Recording) -> list[float | None]:
    """From which difference of a variable on it is told; smaller ones if there are no others."""
    if a.lane.arithmetic != b.lane.arithmetic:
        return [None]
    if a.lane.arithmetic == "float":
        return [FLOAT_ERROR * membrane_scale(population, dt), 0.0]
    return [0.0]


def _first_window(
    stimulus: Sequence[InputWindow], a: Recording, b: Recording, name: str, limit: float | None
) -> int | None:
    """The first in which spikes differ or states at its end, by more than *limit* (None: any)."""
    start = 0
    for k, window in enumerate(stimulus):
        steps = slice(start, start + window.n_steps)
        start += window.n_steps
        if not np.array_equal(a.rasters[name][steps], b.rasters[name][steps]):
            return k
        if limit is not None and any(
            (np.abs(a.states[k][f"{name}.{v}"] - b.states[k][f"{name}.{v}"]) > limit).any()
            for v in VARIABLES
        ):
            return k
    return None


def _follows(subject: Subject, found: list[Explanation], name: str, window: int) -> bool:
    reaches = (
        e.window <= window and subject.network.steps(e.population, name) is not None for e in found
    )
    return any(reaches)


def _event(a: Replay, b: Replay, name: str, limit: float | None) -> _Event | None:
    """The first step in which a spike differs, or a variable by more than *limit* (None: any)."""
    kinds: list[tuple[str, npt.NDArray[np.bool_]]] = []
    for v in VARIABLES if limit is not None else ():
        one, other = (r.states[name][v][1:] for r in (a, b))
        kinds.append((v, np.abs(one - other) > limit))
    kinds.append(("spikes", a.raster(name) != b.raster(name)))
    steps = [int(odd.any(axis=1).argmax()) if odd.any() else a.n_steps for _, odd in kinds]
    first = min(steps)
    if first == a.n_steps:
        return None
    variable, odd = kinds[steps.index(first)]
    return _Event(first, int(odd[first].argmax()), variable)


def _explain(case: _Case, pair: list[Replay], population: Population, event: _Event) -> Explanation:
    trials = [_trial(case, seen, population) for seen in pair]
    plain = [trial.predict(Change("", "")) for trial in trials]
    cause, detail, lane = _cause(case, trials, plain, event)
    return Explanation(
        cause=cause,
        detail=detail,
        population=population.name,
        neuron=event.neuron,
        **place(list(case.stimulus), pair[0].first + event.step),
        variable=event.variable,
        backend_a=pair[0].lane.label,
        backend_b=pair[1].lane.label,
        lane=lane,
        checked=pair[0].n_steps,
        numbers=_numbers(trials, plain, event),
    )


def _trial(case: _Case, seen: Replay, population: Population) -> Trial:
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


def _cause(
    case: _Case, trials: list[Trial], plain: list[Predicted], event: _Event
) -> tuple[str, str, str | None]:
    """Cause, detail and the label of the lane that departs."""
    for trial in trials:
        if not trial.replay.repeats:
            label = trial.replay.lane.label
            detail = "from the same state and input it does something else the second time"
            return "not repeatable", f"{label}: {detail}", label
    for trial, predicted in zip(trials, plain, strict=True):
        if not _fits(trial, predicted, exact=True):
            found = _departure(case, trial, predicted)
            if found is not None:
                return *found, trial.replay.lane.label
    if trials[0].replay.lane.arithmetic != trials[1].replay.lane.arithmetic:
        return *quantised(trials, plain, event.step, event.neuron), None
    near = max(_error(t, p) for t, p in zip(trials, plain, strict=True))
    detail = (
        f"both follow the equations within float error ({near:.1g} of the membrane's scale), "
        "and the membrane is that near to its threshold"
    )
    return "float error", detail, None


def _departure(case: _Case, trial: Trial, plain: Predicted) -> tuple[str, str] | None:
    """What is other in a lane that isn't as predicted; None if it is so within float error."""
    label = trial.replay.lane.label
    if _fits(trial, trial.predict(AT_THRESHOLD), exact=True):
        return AT_THRESHOLD.cause, f"{label}: {AT_THRESHOLD.detail}"
    if _fits(trial, plain, exact=False):
        return None
    for change in hypotheses(trial):
        if _fits(trial, trial.predict(change), exact=False):
            return change.cause, f"{label}: {change.detail}"
    if _spikes_alone(trial, plain):
        detail = "currents and membranes are as described, but the draws of noise aren't"
        return "noise source", f"{label}: {detail}"
    other = _in_other_arithmetic(case, trial)
    if other is not None:
        return "quantisation", f"{label}: {other}"
    where = _departs_in(trial, plain)
    return "unknown", f"{label}: {where} isn't as described, and no change that was tried fits"


def _fits(trial: Trial, predicted: Predicted, exact: bool) -> bool:
    """Whether the lane did in every step what was predicted, with *exact* to the last bit."""
    seen, name = trial.replay, trial.population.name
    limit = 0.0 if exact else FLOAT_ERROR * membrane_scale(trial.population, trial.network.dt)
    unsure = np.abs(predicted.level - predicted.threshold) <= limit
    odd = seen.raster(name) != predicted.spikes
    if (odd & ~(unsure if not exact else np.zeros_like(unsure))).any():
        return False
    if trial.replay.lane.arithmetic != "float":
        limit = 0.0
    for v in VARIABLES:
        apart = np.abs(seen.states[name][v][1:] - getattr(predicted, v))
        if (np.where(odd, 0.0, apart) > limit).any():
            return False
    return True


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


def _in_other_arithmetic(case: _Case, trial: Trial) -> str | None:
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


def _numbers(trials: list[Trial], plain: list[Predicted], event: _Event) -> list[dict[str, Any]]:
    """Of the neuron in both lanes, some steps before and after."""
    first = max(event.step - _AROUND[0], 0)
    last = min(event.step + _AROUND[1], trials[0].replay.n_steps - 1)
    return [
        {
            "step": trials[0].replay.first + k,
            "diverges": k == event.step,
            "a": _numbers_of(trials[0], plain[0], k, event.neuron),
            "b": _numbers_of(trials[1], plain[1], k, event.neuron),
        }
        for k in range(first, last + 1)
    ]


def _numbers_of(trial: Trial, plain: Predicted, k: int, i: int) -> dict[str, Any]:
    """In the lane's own numbers, but for the margin over the threshold, in the description's.

    input and level are what the equations make of the lane's own spikes and state before.
    """
    name, seen = trial.population.name, trial.replay
    level, threshold = plain.level[k][i].item(), plain.threshold[k][i].item()
    return {
        "input": plain.q[k][i].item(),
        **{v: seen.states[name][v][k + 1][i].item() for v in VARIABLES},
        "level": level,
        "threshold": threshold,
        "margin": (level - threshold) / unit(trial.arithmetic, name),
        "spike": bool(seen.raster(name)[k][i]),
        "expected_spike": bool(plain.spikes[k][i]),
    }
