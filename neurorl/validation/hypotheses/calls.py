"""Propose effects of calls: states that calls, resets or writes change; late or lost writes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History
from neurorl.validation.hypotheses.arrivals import ending, groups, lose, survive
from neurorl.validation.observed import Observed
from neurorl.validation.variants import Variant, latest, silence_after_reset

_NAMES = {"current": "the current", "voltage": "the membrane", "refractory": "the refractory time"}
_RESET, _CALL, _WRITE = "reset between decisions", "between calls", "writes"
State = Callable[[Observed, str, Array], Array]


def states(evidence: Evidence) -> Iterator[Variant]:
    """Propose variables that a reset keeps, or that a call of `step` or a write clears."""
    node = evidence.node
    read = node.initial if node.refractory is None else {**node.initial, "refractory": 0}
    said = {v: _NAMES.get(v, v) for v, x in evidence.names.items() if x in read}
    every = frozenset(said)
    some = [(frozenset([v]), name) for v, name in said.items()]
    some += [(every - {v}, f"the state but for {n}") for v, n in said.items()]
    if evidence.fresh.any():
        kept = _changing(every, _as_it_was)
        if evidence.into:
            told = "a window starts from where the one before ended, not from silence"
            yield Variant(_RESET, told, start=kept, arrivals=survive)
        yield Variant(_RESET, "a reset silences spikes in flight, but not the state", start=kept)
        for chosen, subject in some:
            detail = f"a reset doesn't silence {subject}"
            yield Variant(_RESET, detail, start=_changing(chosen, _as_it_was))
    for chosen, subject in [(every, "the state"), *some]:
        at_start, at_end = _changing(chosen, _rest), _changing(chosen, _rest, _as_it_was)
        detail = f"{subject} is lost between calls of step"
        cleared = [Variant(_CALL, detail, start=at_start), Variant(_CALL, detail, finish=at_end)]
        if chosen == every:
            detail = "a call of step starts from silence, not from where the one before ended"
            yield from (replace(x, detail=detail, arrivals=lose(_CALL)) for x in cleared)
        yield from cleared
        at_write = _changing(chosen, _after_write)
        if evidence.history.order:
            if chosen == every:
                detail = "a write silences the network"
                yield Variant(_WRITE, detail, start=at_write, arrivals=lose(_WRITE))
            yield Variant(_WRITE, f"a write clears {subject}", start=at_write)


def _changing(chosen: Collection[str], become: State, other: State = silence_after_reset) -> State:
    """Return what variables are as other, but for some, which become something else."""
    return lambda e, v, x: become(e, v, x) if v in chosen else other(e, v, x)


def _as_it_was(evidence: Observed, variable: str, x: Array) -> Array:
    return x


def _rest(evidence: Observed, variable: str, x: Array) -> Array:
    return 0 * x + evidence.rest(variable)


def _after_write(evidence: Observed, variable: str, before: Array) -> Array:
    described = silence_after_reset(evidence, variable, before)
    return np.where(evidence.wrote[:, None], evidence.rest(variable), described)


Version = Callable[[History, str, int], int]


def _reset_late(history: History, name: str, call: int) -> int:
    while call and not history.calls[call].fresh:
        call -= 1
    return latest(history, name, call) if call or history.calls[0].fresh else 0


_PERIODS = range(2, 25)


def _in_force(n: int, phase: int, every: bool, history: History, name: str) -> npt.NDArray[np.intp]:
    """Return the version of a projection's weights in force in each call, if writes get lost.

    n, phase: number k is lost where ``k % n == phase``. every: whether k counts the writes of all
    projections.
    """
    versions = np.array([k * (written == name) for written, k in history.order])
    numbers = np.arange(1, len(versions) + 1) if every else versions
    taken = np.where(numbers % n == phase, 0, versions)
    before = np.array([call.writes for call in history.calls])
    return np.asarray(np.maximum.accumulate(np.concatenate([[0], taken]))[before])


def _lost_writes(evidence: Evidence, into: Sequence[str]) -> dict[str, Version]:
    """Return one of n writes lost, where that is in all calls that aren't as described."""
    history, odd = evidence.history, evidence.odd.any(axis=1)
    right = {name: _in_force(1, 1, False, history, name) for name in into}
    found: dict[str, Version] = {}
    for n in _PERIODS:
        which = "every second" if n == 2 else f"every {n}{ending(n)}"
        for phase, of_all in itertools.product(range(n), (False, True)):
            force = partial(_in_force, n, phase, of_all)
            stale = [force(history, name) != right[name] for name in into]
            if not (odd & ~np.logical_or.reduce(stale)).any():
                kept = f", the {('first', 'second')[phase]} of each two is kept" if n == 2 else ""
                whose = " of all projections is lost{}{{}}" if of_all else "{{}} is lost{}"
                told = f"{which} write{whose.format(kept)}"
                version = lambda h, x, c, force=force: int(force(h, x)[c])  # noqa: E731
                found.setdefault(told, version)
    return found


_NEVER = "weights written{} never came into force: those before did not go"
_OF_OTHERS = {
    "weights written{} come into force with the next write only, of any projection": (
        lambda h, name, c: h.version(name, max(h.calls[c].writes - 1, 0))
    ),
    "only the very first write of all{} comes into force: later ones are lost": (
        lambda h, name, c: h.version(name, min(h.calls[c].writes, 1))
    ),
}
_LATE: dict[str, Version] = {
    "weights written{} come into force a write late: those before are in force": (
        lambda h, name, c: max(latest(h, name, c) - 1, 0)
    ),
    "weights written{} come into force a call of step late": (
        lambda h, name, c: latest(h, name, c - 1) if c else 0
    ),
    "weights written{} come into force at the next reset only": _reset_late,
    _NEVER: lambda h, name, c: 0,
    "only the first weights written{} come into force: later ones are lost": (
        lambda h, name, c: min(latest(h, name, c), 1)
    ),
    **_OF_OTHERS,
}
_OF_BIAS = (
    "that of the weights of the write before",
    "that of the weights before, for a call of step",
    "that of the weights before, until the next reset",
    "that of the weights before any write",
    "that of the first weights written",
)
"""Say which bias is in force, of the first of `_LATE`; the others say it themselves."""


def writes(evidence: Evidence) -> Iterator[Variant]:
    """Propose writes that are late or lost, or unknown to the bias of signed projections."""
    written = {name for name, _ in evidence.history.order}
    if not written:
        return
    for steps in (1, 2):
        size = "a step" if steps == 1 else f"{steps} steps"
        detail = f"weights written come into force {size} late, in the course of a call"
        yield Variant("writes", detail, late_by=steps)
    network, name = evidence.network, evidence.population.name
    into = [p.name for p in network.projections if p.post == name and p.name in written]
    signed = [n for n in into if network.projection(n).signed]
    for number, (detail, version) in enumerate({**_LATE, **_lost_writes(evidence, into)}.items()):
        for chosen, _ in groups(into, "", ""):
            where = f" to {next(iter(chosen))}" if len(chosen) == 1 else ""
            some = partial(_of, chosen, version)
            told = detail.format(where)
            # Writes that never come leave other weights than described, whatever was written when.
            cause = "weights" if detail == _NEVER else "writes"
            freedom = int(detail in _OF_OTHERS)  # they depend on other populations
            yield Variant(cause, told, version=some, bias_version=some, freedom=freedom)
            if chosen & set(signed):
                beside = "; the bias of signed projections is up to date"
                yield Variant(cause, told + beside, version=some, freedom=freedom)
        for chosen, subject in groups(signed, "{}", "signed projections"):
            why = _OF_BIAS[number] if number < len(_OF_BIAS) else detail.format("")
            told = f"the bias of {subject} is stale after a write"
            told += f", though what spikes transmit isn't ({why})"
            yield Variant("writes", told, bias_version=partial(_of, chosen, version))


def _of(chosen: Collection[str], version: Version, history: History, name: str, call: int) -> int:
    return version(history, name, call) if name in chosen else latest(history, name, call)
