"""Explain why two backends differ: hold replays of both against the equations.

Each step is predicted from the state and the spikes that the backend itself had before it
(`neurorl.validation.evidence`). A backend whose every step is as predicted follows the
description; of one that doesn't, it is asked what would fit (`neurorl.validation.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Network, Population
from neurorl.numerics.arrays import Array
from neurorl.validation.cause import Event, Inquiry, Trial, find_cause
from neurorl.validation.evidence import FLOAT_ERROR
from neurorl.validation.membranes import membrane_scale, unit
from neurorl.validation.recording import SubjectRecording
from neurorl.validation.replay import VARIABLES, StepReplay, replay
from neurorl.validation.stimulus import InputWindow, place
from neurorl.validation.subject import Subject
from neurorl.validation.unlisted import MOST_PLACES, has_room

__all__ = ["Explanation", "explain"]

_AROUND = (4, 3)  # steps before and after the divergence that are shown


@dataclass(frozen=True)
class Explanation:
    """Explain why a population differs between two backends, by the neuron that differs first.

    lane: label of the backend that deviates from the description; None if both follow it.
    detail: a sentence. step: of the stimulus; checked: steps that were predicted.
    numbers: rows for a table, by step: what each backend had, before (level) and after the
        threshold.
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


def explain(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    a: SubjectRecording,
    b: SubjectRecording,
    seed: int,
    traces: tuple[StepReplay, StepReplay] | None = None,
) -> list[Explanation]:
    """Explain each population that differs, unless an earlier one already explains it.

    Populations are taken in the order in which spikes reach them. traces: replays from the first
    window on; they show differences that are gone by the end of a window.
    """
    network = subject.network
    case = Inquiry(subject, stimulus, {r.spec.label: r for r in (a, b)}, seed)
    explanations: list[Explanation] = []
    later: list[Explanation] = []  # of different inputs only, whose cause may yet be explanations
    for population in sorted(network.populations, key=lambda p: network.depth(p.name)):
        for limit in _limits(population, network.dt, a, b):
            window = _first_window(stimulus, a, b, population.name, limit)
            within = _traced_window(stimulus, traces, population.name, limit)
            window = min((w for w in (window, within) if w is not None), default=None)
            if window is None:
                continue
            if not _follows(subject, explanations, population.name, window):
                pair = [replay(subject, r, stimulus, window, seed) for r in (a, b)]
                event = _event(pair, stimulus, window, population.name, limit, (a, b))
                explained = _explain(case, pair, population, event, window)
                by_input = explained.lane is None and a.spec.arithmetic == b.spec.arithmetic
                (later if by_input else explanations).append(explained)
            break
    kept = [e for e in later if not _follows(subject, explanations, e.population, e.window)]
    return sorted([*explanations, *kept], key=lambda e: network.depth(e.population))


def _limits(
    population: Population, dt: float, a: SubjectRecording, b: SubjectRecording
) -> list[float | None]:
    """Return the differences of variables to look for, in order; None to look at spikes only."""
    if a.spec.arithmetic != b.spec.arithmetic:
        return [None]
    if a.spec.is_chip or not population.is_integrator(dt):
        return [0.0]
    return [FLOAT_ERROR * membrane_scale(population, dt), 0.0]


def _first_window(
    stimulus: Sequence[InputWindow],
    a: SubjectRecording,
    b: SubjectRecording,
    name: str,
    limit: float | None,
) -> int | None:
    """Return the first window in which spikes differ, or states at its end by more than *limit*."""
    start = 0
    for k, window in enumerate(stimulus):
        steps = slice(start, start + window.n_steps)
        start += window.n_steps
        if not np.array_equal(a.rasters[name][steps], b.rasters[name][steps]):
            return k
        x, y = a.history.calls[k], b.history.calls[k]
        if limit is not None and any(
            (np.abs(x.after[name][v] - y.after[name][v]) > limit).any() for v in x.after[name]
        ):
            return k
    return None


def _traced_window(
    stimulus: Sequence[InputWindow],
    traces: tuple[StepReplay, StepReplay] | None,
    name: str,
    limit: float | None,
) -> int | None:
    """Return the first window with a step in which a variable differs by more than *limit*."""
    if traces is None or limit is None or not all(r.repeats for r in traces):
        return None
    differs = np.any([x > limit for x in _apart(traces, name).values()], axis=(0, 2))
    if not differs.any():
        return None
    return int(place(stimulus, int(differs.argmax()))["window"])


def _apart(pair: Sequence[StepReplay], name: str) -> dict[str, Array]:
    """Return the absolute difference of each variable in each step, ``(steps, size)``."""
    one, other = pair
    variables = one.history.calls[0].after[name]
    return {v: np.abs(one.after(name, v) - other.after(name, v)) for v in variables}


def _follows(subject: Subject, known: list[Explanation], name: str, window: int) -> bool:
    steps = subject.network.steps
    return any(e.window <= window and steps(e.population, name) is not None for e in known)


def _event(
    pair: list[StepReplay],
    stimulus: Sequence[InputWindow],
    window: int,
    name: str,
    limit: float | None,
    recordings: tuple[SubjectRecording, SubjectRecording],
) -> Event:
    """Return the first step in which a spike differs, or a variable by more than *limit*.

    Look in the replays first if they repeat what was recorded, else in the recordings, whose calls
    are different; then in the other, as a difference may depend on the calls. If neither differs,
    return the end of the window.
    """
    replayed = _first_difference([r.raster(name) for r in pair], _apart(pair, name), limit)
    steps = slice(pair[0].first, pair[0].first + pair[0].n_steps)
    rasters = [r.rasters[name][steps] for r in recordings]
    end = stimulus[window].n_steps - 1
    apart = {v: np.zeros(rasters[0].shape) for v in recordings[0].history.calls[window].after[name]}
    for v in apart:
        first, second = (r.history.calls[window].after[name][v] for r in recordings)
        apart[v][end] = np.abs(first - second)
    recorded = _first_difference(rasters, apart, limit)
    likely = [replayed, recorded] if all(r.repeats for r in pair) else [recorded, replayed]
    return next((event for event in likely if event is not None), Event(end, 0, "spikes"))


def _first_difference(
    rasters: Sequence[npt.NDArray[np.bool_]],
    apart: dict[str, Array],
    limit: float | None,
) -> Event | None:
    kinds: list[tuple[str, npt.NDArray[np.bool_]]] = []
    if limit is not None:
        kinds += [(v, x > limit) for v, x in apart.items()]
    kinds.append(("spikes", rasters[0] != rasters[1]))
    firsts = [int(mask.any(axis=1).argmax()) if mask.any() else len(mask) for _, mask in kinds]
    variable, mask = kinds[firsts.index(min(firsts))]
    if not mask.any():
        return None
    return Event(min(firsts), int(mask[min(firsts)].argmax()), variable)


def _unpredicted(network: Network, population: Population) -> str | None:
    """Return what a population is whose steps nothing here predicts; None if they are."""
    if has_room(network, population.name):
        return None
    return f"neurons that lists of synapses of more than {MOST_PLACES} places in matrices lead to"


def _explain(
    case: Inquiry, pair: list[StepReplay], population: Population, event: Event, window: int
) -> Explanation:
    reason = _unpredicted(case.subject.network, population)
    if reason is None:
        trials = [Trial(case, trace, population) for trace in pair]
        cause, detail, departing = find_cause(case, trials, event, window)
        is_own = not population.is_integrator(case.subject.network.dt)
        numbers = [] if is_own else _numbers(trials, event)
    else:
        what = "the first difference" if event.variable == "spikes" else f"{event.variable} first"
        cause, departing, numbers = "unknown", None, []
        detail = f"{reason}, whose steps are not predicted; {what}"
    return Explanation(
        cause=cause,
        detail=detail,
        population=population.name,
        neuron=event.neuron,
        **place(case.stimulus, pair[0].first + event.step),
        variable=event.variable,
        backend_a=pair[0].spec.label,
        backend_b=pair[1].spec.label,
        lane=departing,
        checked=pair[0].n_steps,
        numbers=numbers,
    )


def _numbers(trials: list[Trial], event: Event) -> list[dict[str, Any]]:
    """Return the neuron's numbers in both backends, some steps before and after an event."""
    trace = trials[0].replay
    first = max(event.step - _AROUND[0], 0)
    last = min(event.step + _AROUND[1], trace.n_steps - 1)
    sides = [_numbers_of(trial, range(first, last + 1), event.neuron) for trial in trials]
    return [
        {"step": trace.first + k, "diverges": k == event.step, "a": a, "b": b}
        for k, a, b in zip(range(first, last + 1), *sides, strict=True)
    ]


def _numbers_of(trial: Trial, steps: range, i: int) -> list[dict[str, Any]]:
    """Return a neuron's numbers in the backend's own units; the margin is in the description's.

    input and level are predicted from the backend's own spikes and state before the step.
    """
    name, trace, plain = trial.population.name, trial.replay, trial.evidence.plain
    inputs = trial.evidence.input().astype(trial.evidence.before["current"].dtype)
    after, raster = {v: trace.after(name, v) for v in VARIABLES}, trace.raster(name)
    scale = unit(trace.arithmetic, name)
    rows = []
    for k in steps:
        row = trace.first + k
        level, threshold = plain.level[row, i].item(), plain.threshold[row, i].item()
        rows.append(
            {
                "input": inputs[row, i].item(),
                **{v: after[v][k, i].item() for v in VARIABLES},
                "level": level,
                "threshold": threshold,
                "margin": (level - threshold) / scale,
                "spike": bool(raster[k, i]),
                "expected_spike": bool(plain.spikes[row, i]),
            }
        )
    return rows
