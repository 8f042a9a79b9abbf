"""Explain why two backends differ: hold replays of both against the equations.

Each step is predicted from the state and the spikes that the backend itself had before it
(`neurorl.validation.evidence`). A backend whose every step is as predicted follows the
description; of one that doesn't, it is asked what would fit (`neurorl.validation.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.network.description import Network, Population
from neurorl.storage.plain import PlainData
from neurorl.validation.cause import Event, find_cause, of_replay
from neurorl.validation.compare import Two
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History, Scenario
from neurorl.validation.observed import FLOAT_ERROR, unpredicted
from neurorl.validation.tolerance import membrane_scale

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
    numbers: list[PlainData]

    @property
    def onward(self) -> str:
        """Return a sentence for what differs because this population does."""
        return f"{self.cause} in {self.population} from step {self.step} on"


def explain(
    scenario: Scenario, a: History, b: History, traces: Two | None = None
) -> list[Explanation]:
    """Explain each population that differs, unless an earlier one already explains it.

    Populations are taken in the order in which spikes reach them. traces: replays from the first
    window on; they show differences that are gone by the end of a window.
    """
    network = scenario.network
    explanations: list[Explanation] = []
    later: list[Explanation] = []  # of different inputs only, whose cause may yet be explanations
    for population in sorted(network.populations, key=lambda p: network.depth(p.name)):
        name, limits = population.name, [0.0]
        if not a.spec.is_chip and population.is_integrator(network.dt):
            limits.insert(0, FLOAT_ERROR * membrane_scale(population, network.dt))
        # Of different arithmetics, look at spikes only.
        for limit in limits if a.spec.arithmetic == b.spec.arithmetic else (None,):
            window = _first_window(scenario, (a, b), traces, name, limit)
            if window is None:
                continue
            if not _follows(network, explanations, name, window):
                pair = [scenario.replay(r, window) for r in (a, b)]
                event = _event(pair, (a, b), name, limit)
                explained = _explain(scenario, (a, b), pair, population, event)
                by_input = explained.lane is None and a.spec.arithmetic == b.spec.arithmetic
                (later if by_input else explanations).append(explained)
            break
    kept = [e for e in later if not _follows(network, explanations, e.population, e.window)]
    return sorted([*explanations, *kept], key=lambda e: network.depth(e.population))


def _first_window(
    scenario: Scenario, recordings: Two, traces: Two | None, name: str, limit: float | None
) -> int | None:
    """Return the first window in which spikes differ, or variables by more than *limit*.

    Variables are known where windows end, and in each step of *traces*.
    """
    pairs = [recordings]
    if traces is not None and limit is not None and all(r.repeats for r in traces):
        pairs.append(traces)
    found = (_first_difference(pair, name, limit) for pair in pairs)
    steps = [event.step for event in found if event is not None]
    return int(scenario.place(min(steps))["window"]) if steps else None


def _follows(network: Network, known: list[Explanation], name: str, window: int) -> bool:
    return any(e.window <= window and network.steps(e.population, name) is not None for e in known)


def _event(pair: list[History], recordings: Two, name: str, limit: float | None) -> Event:
    """Return the first step in which a spike differs, or a variable by more than *limit*.

    Look in the replays first if they repeat what was recorded, else in the recordings, whose calls
    are different; then in the other, as a difference may depend on the calls. If neither differs,
    return the end of the window.
    """
    window = pair[0].window
    sides: list[Sequence[History]] = [pair, recordings]
    if not all(r.repeats for r in pair):
        sides.reverse()
    for side in sides:
        event = _first_difference(side, name, limit, window)
        if event is not None and event.step < pair[0].n_steps:
            return event
    return Event(recordings[0].calls[window].n_steps - 1, 0, "spikes")


def _first_difference(
    histories: Sequence[History], name: str, limit: float | None, first: int = 0
) -> Event | None:
    """Return the first difference of two histories of equal calls, from call *first* on.

    Variables are looked at where calls end, unless *limit* is None.
    """
    one, other = histories
    ends = np.cumsum([call.n_steps for call in one.calls[first:]]) - 1
    found = []
    for v in one.calls[0].after[name] if limit is not None else ():
        apart = np.abs(one.after(name, v, first) - other.after(name, v, first)) > limit
        found += [Event(int(ends[k]), i, v) for k, i in np.argwhere(apart)[:1].tolist()]
    differs = one.raster(name, first) != other.raster(name, first)
    found += [Event(k, i, "spikes") for k, i in np.argwhere(differs)[:1].tolist()]
    return min(found, key=lambda event: event.step, default=None)


def _explain(
    scenario: Scenario, recordings: Two, pair: list[History], population: Population, event: Event
) -> Explanation:
    network = scenario.network
    why = unpredicted(network, population.name)
    if not why:
        trials = [of_replay(network, trace, population) for trace in pair]
        cause, detail, departing = find_cause(scenario, recordings, trials, event)
        numbers = _numbers(trials, event) if population.is_integrator(network.dt) else []
    else:
        what = "the first difference" if event.variable == "spikes" else f"{event.variable} first"
        cause, departing, numbers = "unknown", None, []
        detail = f"neurons {why}, whose steps are not predicted; {what}"
    a, b = (recording.spec.label for recording in pair)
    seen = {**scenario.place(pair[0].first + event.step), "variable": event.variable}
    seen |= {"backend_a": a, "backend_b": b, "lane": departing, "checked": pair[0].n_steps}
    return Explanation(cause, detail, population.name, event.neuron, **seen, numbers=numbers)


def _numbers(trials: list[Evidence], event: Event) -> list[PlainData]:
    """Return the neuron's numbers in both backends, some steps before and after an event."""
    trace = trials[0].history
    first = max(event.step - _AROUND[0], 0)
    steps = range(first, min(event.step + _AROUND[1], trace.n_steps - 1) + 1)
    rows = zip(steps, *(_numbers_of(trial, steps, event.neuron) for trial in trials), strict=True)
    begun, odd = trace.first, event.step
    return [{"step": begun + k, "diverges": k == odd, "a": a, "b": b} for k, a, b in rows]


def _numbers_of(trial: Evidence, steps: range, i: int) -> list[PlainData]:
    """Return a neuron's numbers in the backend's own units; the margin is in the description's.

    input and level are predicted from the backend's own spikes and state before the step.
    """
    trace, plain = trial.history, trial.plain
    window, replayed = trace.window, slice(trace.first, None)
    unit = trace.arithmetic.membrane_unit(trial.population.name)
    scale = np.broadcast_to(unit, trial.population.size)[i].item()
    shown = {"input": trial.input().astype(trial.before["current"].dtype)[replayed]}
    shown |= {v: trial.after[v][window:] for v in trial.variables}
    shown |= {x: plain[f"met_{x}"][replayed] for x in ("level", "threshold")}
    rows = []
    for k in steps:
        numbers = {name: x[k, i].item() for name, x in shown.items()}
        numbers["margin"] = (numbers["level"] - numbers["threshold"]) / scale
        numbers["spike"] = bool(trial.spikes[replayed][k, i])
        numbers["expected_spike"] = bool(plain["spikes"][replayed][k, i])
        rows.append(numbers)
    return rows
