"""Why two lanes differ: replays around their first divergence, held against the equations.

Each step of each lane is predicted from the state and spikes that the lane itself had before it
(`neurorl.validation.equations`). A lane whose every step is as predicted follows the description;
of one that doesn't, it is asked what would fit (`neurorl.validation.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Population
from neurorl.validation.cause import Case, Event, find_cause, make_trial
from neurorl.validation.equations import Change, Predicted, Trial
from neurorl.validation.evidence import FLOAT_ERROR
from neurorl.validation.membranes import membrane_scale, unit
from neurorl.validation.recording import Recording
from neurorl.validation.replay import VARIABLES, Replay, replay
from neurorl.validation.stimulus import InputWindow, place
from neurorl.validation.subject import Subject

__all__ = ["Explanation", "explain"]

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


def explain(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    a: Recording,
    b: Recording,
    seed: int,
    traces: tuple[Replay, Replay] | None = None,
) -> list[Explanation]:
    """An explanation of each population that differs for reasons of its own; others follow.

    Populations are taken in the order in which spikes reach them. traces: replays from the first
    window on, which show what windows hide that end alike.
    """
    network = subject.network
    case = Case(subject, stimulus, {r.lane.label: r for r in (a, b)}, seed)
    found: list[Explanation] = []
    later: list[Explanation] = []  # lanes differ by their input only, whose cause may yet be found
    for population in sorted(network.populations, key=lambda p: network.depth(p.name)):
        for limit in _limits(population, network.dt, a, b):
            window = _first_window(stimulus, a, b, population.name, limit)
            within = _traced_window(stimulus, traces, population.name, limit)
            window = min((w for w in (window, within) if w is not None), default=None)
            if window is None:
                continue
            if not _follows(subject, found, population.name, window):
                pair = [replay(subject, r, stimulus, window, seed) for r in (a, b)]
                event = _event(pair, stimulus, window, population.name, limit, (a, b))
                explained = _explain(case, pair, population, event, window)
                by_input = explained.lane is None and a.lane.arithmetic == b.lane.arithmetic
                (later if by_input else found).append(explained)
            break
    kept = [e for e in later if not _follows(subject, found, e.population, e.window)]
    return sorted([*found, *kept], key=lambda e: network.depth(e.population))


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


def _traced_window(
    stimulus: Sequence[InputWindow],
    traces: tuple[Replay, Replay] | None,
    name: str,
    limit: float | None,
) -> int | None:
    """The first window in a step of which a variable differs by more than *limit*."""
    if traces is None or limit is None or not all(r.repeats for r in traces):
        return None
    one, other = (r.states[name] for r in traces)
    odd = np.any([np.abs(one[v][1:] - other[v][1:]) > limit for v in VARIABLES], axis=(0, 2))
    if not odd.any():
        return None
    return int(place(stimulus, int(odd.argmax()))["window"])


def _follows(subject: Subject, found: list[Explanation], name: str, window: int) -> bool:
    reaches = (
        e.window <= window and subject.network.steps(e.population, name) is not None for e in found
    )
    return any(reaches)


def _event(
    pair: list[Replay],
    stimulus: Sequence[InputWindow],
    window: int,
    name: str,
    limit: float | None,
    recordings: tuple[Recording, Recording],
) -> Event:
    """The first step in which a spike differs, or a variable by more than *limit* (None: any).

    Of the replays, if these did as was recorded, else of the recordings, whose calls are others;
    of the other if nothing differs there, as may be if it hangs on the calls. If it is seen in
    neither, the end of the window.
    """
    one, other = (r.states[name] for r in pair)
    apart = {v: np.abs(one[v][1:] - other[v][1:]) for v in VARIABLES}
    replayed = _first_odd([r.raster(name) for r in pair], apart, limit)
    steps = slice(pair[0].first, pair[0].first + pair[0].n_steps)
    rasters = [r.rasters[name][steps] for r in recordings]
    end = stimulus[window].n_steps - 1
    apart = {v: np.zeros(rasters[0].shape) for v in VARIABLES}
    for v in VARIABLES:
        first, second = (r.states[window][f"{name}.{v}"] for r in recordings)
        apart[v][end] = np.abs(first - second)
    recorded = _first_odd(rasters, apart, limit)
    likely = [replayed, recorded] if all(r.repeats for r in pair) else [recorded, replayed]
    return next((event for event in likely if event is not None), Event(end, 0, "spikes"))


def _first_odd(
    rasters: Sequence[npt.NDArray[np.bool_]],
    apart: dict[str, npt.NDArray[Any]],
    limit: float | None,
) -> Event | None:
    kinds: list[tuple[str, npt.NDArray[np.bool_]]] = []
    if limit is not None:
        kinds += [(v, x > limit) for v, x in apart.items()]
    kinds.append(("spikes", rasters[0] != rasters[1]))
    firsts = [int(odd.any(axis=1).argmax()) if odd.any() else len(odd) for _, odd in kinds]
    variable, odd = kinds[firsts.index(min(firsts))]
    if not odd.any():
        return None
    return Event(min(firsts), int(odd[min(firsts)].argmax()), variable)


def _explain(
    case: Case, pair: list[Replay], population: Population, event: Event, window: int
) -> Explanation:
    trials = [make_trial(case, seen, population, window) for seen in pair]
    plain = [trial.predict(Change("", "")) for trial in trials]
    cause, detail, lane = find_cause(case, trials, plain, event, window)
    return Explanation(
        cause=cause,
        detail=detail,
        population=population.name,
        neuron=event.neuron,
        **place(case.stimulus, pair[0].first + event.step),
        variable=event.variable,
        backend_a=pair[0].lane.label,
        backend_b=pair[1].lane.label,
        lane=lane,
        checked=pair[0].n_steps,
        numbers=_numbers(trials, plain, event),
    )


def _numbers(trials: list[Trial], plain: list[Predicted], event: Event) -> list[dict[str, Any]]:
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
