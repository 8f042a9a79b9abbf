"""Propose effects of calls: states that calls, resets or writes change; late or lost writes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

import numpy as np

from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History
from neurorl.validation.hypotheses.arrivals import _groups, _lost, surviving
from neurorl.validation.observed import Observed
from neurorl.validation.variants import Array, Variant, latest, silence_after_reset

__all__ = ["states", "writes"]

_NAMES = {
    "current": "the current",
    "voltage": "the membrane",
    "refractory": "the refractory time",
}


def states(evidence: Evidence) -> Iterator[Variant]:
    """Propose variables that a reset keeps, or that a call of `step` or a write clears."""
    every = frozenset(evidence.variables)
    said = {v: _NAMES.get(v, v) for v in evidence.variables}
    groups = [(every, "the state")]
    groups += [(frozenset([v]), name) for v, name in said.items()]
    groups += [(every - {v}, f"the state but for {n}") for v, n in said.items()]
    names = [p.name for p in evidence.into]
    everything = frozenset(names)
    if evidence.fresh.any():
        cause = "reset between decisions"
        for chosen, subject in groups:
            whole = len(chosen) == len(every)
            detail = f"a reset doesn't silence {subject}"
            if whole:
                spikes = next(iter(surviving(evidence)), None)
                detail = "a window starts from where the one before ended, not from silence"
                if spikes is not None:
                    yield Variant(
                        cause, detail, start=partial(_kept, chosen), arrivals=spikes.arrivals
                    )
                detail = "a reset silences spikes in flight, but not the state"
            yield Variant(cause, detail, start=partial(_kept, chosen))
    for chosen, subject in groups:
        whole = len(chosen) == len(every)
        detail = f"{subject} is lost between calls of step"
        if whole:
            gone = _lost(everything, "between calls", "all")
            whole_of = "a call of step starts from silence, not from where the one before ended"
            yield Variant("between calls", whole_of, start=partial(_cleared, chosen), arrivals=gone)
            yield Variant("between calls", whole_of, finish=partial(_ended, chosen), arrivals=gone)
        yield Variant("between calls", detail, start=partial(_cleared, chosen))
        yield Variant("between calls", detail, finish=partial(_ended, chosen))
        if evidence.history.order:
            detail = f"a write clears {subject}"
            start = partial(_cleared_by_write, chosen)
            if whole:
                gone = _lost(everything, "writes", "all")
                yield Variant("writes", "a write silences the network", start=start, arrivals=gone)
            yield Variant("writes", detail, start=start)


def _kept(chosen: Collection[str], evidence: Observed, variable: str, before: Array) -> Array:
    return before if variable in chosen else silence_after_reset(evidence, variable, before)


def _cleared(chosen: Collection[str], evidence: Observed, variable: str, before: Array) -> Array:
    if variable in chosen:
        return 0 * before + evidence.rest(variable)
    return silence_after_reset(evidence, variable, before)


def _ended(chosen: Collection[str], evidence: Observed, variable: str, after: Array) -> Array:
    return 0 * after + evidence.rest(variable) if variable in chosen else after


def _cleared_by_write(
    chosen: Collection[str], evidence: Observed, variable: str, before: Array
) -> Array:
    described = silence_after_reset(evidence, variable, before)
    if variable not in chosen:
        return described
    wrote = evidence.writes > np.concatenate([[0], evidence.writes[:-1]])
    return np.where(wrote[:, None], evidence.rest(variable), described)


Version = Callable[[History, str, int], int]


def _initial(history: History, name: str, call: int) -> int:
    return 0


def _previous(history: History, name: str, call: int) -> int:
    return max(latest(history, name, call) - 1, 0)


def _but_last(history: History, name: str, call: int) -> int:
    return history.version(name, max(history.calls[call].writes - 1, 0))


def _call_late(history: History, name: str, call: int) -> int:
    return latest(history, name, call - 1) if call else 0


def _reset_late(history: History, name: str, call: int) -> int:
    while call and not history.calls[call].fresh:
        call -= 1
    return latest(history, name, call) if call or history.calls[0].fresh else 0


def _first(history: History, name: str, call: int) -> int:
    return min(latest(history, name, call), 1)


def _first_of_all(history: History, name: str, call: int) -> int:
    return history.version(name, min(history.calls[call].writes, 1))


def _every_second(keep: int, history: History, name: str, call: int) -> int:
    """Return the version in force if every second write of each projection is lost."""
    version = latest(history, name, call)
    return version if version % 2 == keep else max(version - 1, 0)


def _every_second_of_all(keep: int, history: History, name: str, call: int) -> int:
    """Return the version in force if every second write is lost, whatever its projection."""
    taken = history.order[: history.calls[call].writes]
    kept = [k for i, (n, k) in enumerate(taken, 1) if n == name and i % 2 == keep]
    return kept[-1] if kept else 0


_LATE: tuple[tuple[str, Version], ...] = (
    ("weights written{} come into force a write late: those before are in force", _previous),
    ("weights written{} come into force with the next write only, of any projection", _but_last),
    ("weights written{} come into force a call of step late", _call_late),
    ("weights written{} come into force at the next reset only", _reset_late),
    ("weights written{} never came into force: those before did not go", _initial),
    ("only the first weights written{} come into force: later ones are lost", _first),
    ("only the very first write of all{} comes into force: later ones are lost", _first_of_all),
    ("every second write{} is lost, the first of each two is kept", partial(_every_second, 1)),
    ("every second write{} is lost, the second of each two is kept", partial(_every_second, 0)),
    (
        "every second write of all projections is lost, the first of each two is kept{}",
        partial(_every_second_of_all, 1),
    ),
    (
        "every second write of all projections is lost, the second of each two is kept{}",
        partial(_every_second_of_all, 0),
    ),
)


_OF_BIAS: dict[Version, str] = {
    _initial: "that of the weights before any write",
    _previous: "that of the weights of the write before",
    _call_late: "that of the weights before, for a call of step",
    _reset_late: "that of the weights before, until the next reset",
    _first: "that of the first weights written",
}


def writes(evidence: Evidence) -> Iterator[Variant]:
    """Propose writes that are late or lost, or unknown to the bias of signed projections."""
    written = evidence.history.written
    if not written:
        return
    for steps in (1, 2):
        size = "a step" if steps == 1 else f"{steps} steps"
        detail = f"weights written come into force {size} late, in the course of a call"
        yield Variant("writes", detail, late_by=steps)
    network, name = evidence.network, evidence.population.name
    into = [p.name for p in network.projections if p.post == name and p.name in written]
    signed = [n for n in into if network.projection(n).signed]
    for detail, version in _LATE:
        for chosen, _ in _groups(into, "", ""):
            where = f" to {next(iter(chosen))}" if len(chosen) == 1 else ""
            some = partial(_of, chosen, version)
            told = detail.format(where)
            # Writes that never come leave other weights than described, whatever was written when.
            cause = "weights" if version is _initial else "writes"
            freedom = int(version in (_first_of_all, _but_last))  # they depend on other populations
            yield Variant(cause, told, version=some, bias_version=some, freedom=freedom)
            if chosen & set(signed):
                beside = "; the bias of signed projections is up to date"
                yield Variant(cause, told + beside, version=some, freedom=freedom)
        for chosen, subject in _groups(signed, "{}", "signed projections"):
            why = _OF_BIAS.get(version, detail.format(""))
            told = (
                f"the bias of {subject} is stale after a write, though what spikes transmit isn't"
            )
            yield Variant("writes", f"{told} ({why})", bias_version=partial(_of, chosen, version))


def _of(chosen: Collection[str], version: Version, history: History, name: str, call: int) -> int:
    return version(history, name, call) if name in chosen else latest(history, name, call)
