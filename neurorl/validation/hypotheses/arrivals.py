"""Propose spikes that arrive at other times than described, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np

from neurorl.network.description import Projection
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Observed
from neurorl.validation.variants import Array, Variant

__all__ = ["delays", "lost", "surviving"]

Arrivals = Callable[[Observed, Projection], Array]


def delays(evidence: Evidence) -> Iterator[Variant]:
    """Propose one projection, or all, some steps later or earlier."""
    names = [p.name for p in evidence.into]
    for later in (1, -1, 2, -2, 3, -3):
        way = "later" if later > 0 else "earlier"
        size = "a step" if abs(later) == 1 else f"{abs(later)} steps"
        for chosen, subject in _by_node(evidence, names, "spikes of {}", "all spikes"):
            detail = f"{subject} arrive {size} {way} than described"
            yield Variant("delay", detail, arrivals=_shifted(chosen, later))
    long = [p.name for p in evidence.into if evidence.network.delay_steps(p.name) > 1]
    for chosen, subject in _groups(long, "spikes of {}", "all spikes of longer delays"):
        detail = f"{subject} arrive after one step, whatever delay is described"
        yield Variant("delay", detail, arrivals=_at(chosen, 1))


def _groups(
    names: Collection[str], one: str, everything: str
) -> Iterator[tuple[frozenset[str], str]]:
    """Yield the group of all names, and each name alone if there are several."""
    if len(names) > 1:
        yield frozenset(names), everything
    for name in names:
        yield frozenset([name]), one.format(name)


def _by_node(
    evidence: Evidence, names: Collection[str], one: str, everything: str
) -> Iterator[tuple[frozenset[str], str]]:
    """Yield the same groups, and the projections of each node, all sources, all populations."""
    yield from _groups(names, one, everything)
    into = [p for p in evidence.into if p.name in names]
    sources = {s.name for s in evidence.network.sources}
    kinds = {f"from {pre}": [p.name for p in into if p.pre == pre] for pre in {p.pre for p in into}}
    kinds["from all sources"] = [p.name for p in into if p.pre in sources]
    kinds["from all populations"] = [p.name for p in into if p.pre not in sources]
    known = {frozenset(names)}
    for told, chosen in sorted(kinds.items()):
        if 1 < len(chosen) < len(names) and frozenset(chosen) not in known:
            known.add(frozenset(chosen))
            yield frozenset(chosen), f"spikes {told}"


def _shifted(chosen: Collection[str], later: int) -> Arrivals:
    def arrive(evidence: Observed, p: Projection) -> Array:
        delay = evidence.network.delay_steps(p.name) + (later if p.name in chosen else 0)
        return evidence.arriving(p, delay)

    return arrive


def _at(chosen: Collection[str], delay: int) -> Arrivals:
    def arrive(evidence: Observed, p: Projection) -> Array:
        now = delay if p.name in chosen else evidence.network.delay_steps(p.name)
        return evidence.arriving(p, now)

    return arrive


def lost(evidence: Evidence) -> Iterator[Variant]:
    """Propose that a call of `step`, or a write, loses spikes in flight: all, or some."""
    names = [p.name for p in evidence.into]
    long = [p.name for p in evidence.into if evidence.network.delay_steps(p.name) > 1]
    for event, cause in (("between calls of step", "between calls"), ("by a write", "writes")):
        if cause == "writes" and not evidence.history.order:
            continue
        for which, some, told in (
            ("all", names, ""),
            ("newest", names, "of the last step before, "),
            ("older", long, "but for those of the last step before, "),
        ):
            for chosen, subject in _by_node(evidence, some, "spikes of {}", "spikes"):
                detail = f"{subject} in flight, {told}are lost {event}".replace(", are", " are")
                yield Variant(cause, detail, arrivals=_lost(chosen, cause, which))


def _since_write(evidence: Observed) -> Array:
    """Return the first step since the last write, of each step."""
    before = np.concatenate([[0], evidence.writes[:-1]])
    wrote = np.where(evidence.writes > before, evidence.starts, 0)
    return np.asarray(np.maximum.accumulate(wrote)[evidence.call])


def _lost(chosen: Collection[str], event: str, which: str) -> Arrivals:
    """Drop arrivals of spikes sent before an event; *which*: ``'all'``, ``'newest'``, ..."""

    def arrive(evidence: Observed, p: Projection) -> Array:
        delay = evidence.network.delay_steps(p.name)
        every = evidence.arriving(p, delay)
        if p.name not in chosen:
            return every
        between = event == "between calls"
        since = evidence.starts[evidence.call] if between else _since_write(evidence)
        sent = evidence.step - delay
        before = since - sent  # steps from a spike to the last event
        gone = {"all": before > 0, "older": before > 1}.get(which)
        if gone is None:  # of the events since, one came just after the spike
            next_step = np.clip(sent + 1, 0, evidence.n_steps - 1)
            starts = evidence.starts[evidence.call] if between else _since_write(evidence)
            gone = (starts[next_step] == next_step) & (before > 0)
        return np.asarray(every * ~gone[:, None])

    return arrive


def surviving(evidence: Evidence) -> Iterator[Variant]:
    """Propose that spikes in flight survive a reset, or that it silences too many."""
    if not evidence.fresh.any():
        return

    def of(chosen: Collection[str], newest: bool) -> Arrivals:
        def arrive(evidence: Observed, p: Projection) -> Array:
            delay = evidence.network.delay_steps(p.name)
            if p.name not in chosen:
                return evidence.arriving(p, delay)
            every = evidence.arriving(p, delay, np.zeros_like(evidence.step))
            if newest:  # those of the last step before the silence only go
                gone = evidence.step - delay == evidence.silent_since - 1
                return np.asarray(every * ~gone[:, None])
            return every

        return arrive

    names = [p.name for p in evidence.into]
    cause = "reset between decisions"
    for chosen, subject in _by_node(evidence, names, "spikes of {}", "spikes"):
        detail = f"{subject} in flight survive a reset"
        yield Variant(cause, detail, arrivals=of(chosen, False))
    long = [p.name for p in evidence.into if evidence.network.delay_steps(p.name) > 1]
    for chosen, subject in _groups(long, "spikes of {}", "spikes of longer delays"):
        detail = f"{subject} in flight survive a reset, all but the newest"
        yield Variant(cause, detail, arrivals=of(chosen, True))
