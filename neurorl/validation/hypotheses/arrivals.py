"""Propose spikes that arrive at other times, not at all, or releasing other than described."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from neurorl.expressions.expression import Statement
from neurorl.expressions.nodes import Name
from neurorl.network.plasticity import TsodyksMarkram
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.program import NodeProgram, Release
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Observed, Pathway, Releases, described_releases
from neurorl.validation.rewriting import changed, in_line, with_constants
from neurorl.validation.variants import Variant

Arrivals = Callable[[Observed, Pathway], Array]
Group = tuple[frozenset[str], str]


def otherwise(chosen: Collection[str], arrive: Arrivals) -> Arrivals:
    """Return the arrivals of some projections as *arrive* has them, of others as described."""
    return lambda e, p: arrive(e, p) if p.name in chosen else e.arriving(p)


def groups(names: Collection[str], one: str, everything: str) -> Iterator[Group]:
    """Yield the group of all names, and each name alone if there are several, with words."""
    if len(names) > 1:
        yield frozenset(names), everything
    for name in names:
        yield frozenset([name]), one.format(name)


def ending(n: int) -> str:
    """Return the ending of an ordinal number."""
    return {1: "st", 2: "nd", 3: "rd"}.get(n % 10 if n // 10 % 10 != 1 else 0, "th")


def by_node(evidence: Evidence, into: Sequence[Pathway], everything: str) -> Iterator[Group]:
    """Yield the same groups, and the projections of each node, all sources, all populations."""
    names = [p.name for p in into]
    yield from groups(names, "spikes of {}", everything)
    sources = {s.name for s in evidence.network.sources}
    kinds = {f"from {pre}": [p.name for p in into if p.pre == pre] for pre in {p.pre for p in into}}
    kinds["from all sources"] = [p.name for p in into if p.pre in sources]
    kinds["from all populations"] = [p.name for p in into if p.pre not in sources]
    known = {frozenset(names)}
    for told, chosen in sorted(kinds.items()):
        if 1 < len(chosen) < len(names) and frozenset(chosen) not in known:
            known.add(frozenset(chosen))
            yield frozenset(chosen), f"spikes {told}"


def _long(evidence: Evidence) -> list[Pathway]:
    return [p for p in evidence.into if p.delay > 1]


def arriving(cause: str, detail: str, some: Iterable[Group], arrive: Arrivals) -> Iterator[Variant]:
    """Propose other arrivals of each group of projections; detail: with a place for its words."""
    for chosen, subject in some:
        yield Variant(cause, detail.format(subject), arrivals=otherwise(chosen, arrive))


def delays(evidence: Evidence) -> Iterator[Variant]:
    """Propose one projection, or all, some steps later or earlier."""
    every = list(by_node(evidence, evidence.into, "all spikes"))
    for later in (1, -1, 2, -2, 3, -3):
        way = "later" if later > 0 else "earlier"
        size = "a step" if abs(later) == 1 else f"{abs(later)} steps"
        detail = f"{{}} arrive {size} {way} than described"
        yield from arriving("delay", detail, every, partial(Observed.arriving, later=later))

    def at_once(e: Observed, p: Pathway) -> Array:
        return e.arriving(p, 1 - p.delay)

    names, every_long = [p.name for p in _long(evidence)], "all spikes of longer delays"
    detail = "{} arrive after one step, whatever delay is described"
    yield from arriving("delay", detail, groups(names, "spikes of {}", every_long), at_once)


def lost(evidence: Evidence) -> Iterator[Variant]:
    """Propose that a call of `step`, or a write, loses spikes in flight: all, or some."""
    events = {"between calls": "between calls of step"}
    events |= {"writes": "by a write"} if evidence.history.order else {}
    said = {"all": "", "newest": ", of the last step before"}
    said["older"] = ", but for those of the last step before"
    for (cause, event), (which, told) in itertools.product(events.items(), said.items()):
        some = by_node(evidence, _long(evidence) if which == "older" else evidence.into, "spikes")
        detail = f"{{}} in flight{told} are lost {event}"
        yield from arriving(cause, detail, some, partial(_lose, cause, which))


def _lose(event: str, which: str, evidence: Observed, p: Pathway) -> Array:
    """Drop arrivals of spikes sent before an event; *which*: ``'all'``, ``'newest'``, ..."""
    begun = evidence.starts if event == "between calls" else evidence.starts * evidence.wrote
    starts = np.maximum.accumulate(begun)[evidence.call]
    sent = evidence.step - p.delay
    before = starts - sent  # steps from a spike to the last event
    gone = before > (which == "older")
    if which == "newest":  # of the events since, one came just after the spike
        next_step = np.clip(sent + 1, 0, evidence.n_steps - 1)
        gone &= starts[next_step] == next_step
    return np.asarray(evidence.arriving(p) * ~gone[:, None])


def lose(event: str) -> Arrivals:
    """Drop all arrivals of spikes sent before an event."""
    return partial(_lose, event, "all")


def surviving(evidence: Evidence) -> Iterator[Variant]:
    """Propose that spikes in flight survive a reset, or that it silences too many."""
    if not evidence.fresh.any():
        return

    def but_newest(e: Observed, p: Pathway) -> Array:
        is_older = e.step - p.delay != e.silent_since - 1
        return np.asarray(survive(e, p) * is_older[:, None])

    cause, told = "reset between decisions", "{} in flight survive a reset"
    yield from arriving(cause, told, by_node(evidence, evidence.into, "spikes"), survive)
    longer = groups([p.name for p in _long(evidence)], "spikes of {}", "spikes of longer delays")
    yield from arriving(cause, f"{told}, all but the newest", longer, but_newest)


def survive(evidence: Observed, p: Pathway) -> Array:
    """Return arrivals of all spikes sent, a reset in between or not."""
    return evidence.arriving(p, oldest=np.zeros_like(evidence.step))


_FACTORS = (0.5, 2.0, 0.1, 10.0, 1e-3, 1e3)


def releases(evidence: Evidence) -> Iterator[Variant]:
    """Propose other releases of one projection, or of all that have short-term plasticity."""
    short = {p.name: kind for p in evidence.into if (kind := p.projection.short_term) is not None}
    for chosen in groups(short, "spikes of {}", "all spikes"):
        for cause, detail, make in _GENERAL:
            released = partial(Observed.arriving, releases=make)
            yield from arriving(cause, detail, [chosen], released)
    for name, kind in short.items():
        for detail, other in _others(kind):
            make = partial(described_releases, change=partial(_of_kind, other, evidence.network.dt))
            released = partial(Observed.arriving, releases=make)
            told = f"short-term plasticity of {name}: {detail}"
            yield from arriving("parameter", told, [(frozenset([name]), "")], released)


def _late_rise(node: NodeProgram, release: Release) -> NodeProgram:
    """Release by u as it was before the spike raised it: nothing at a first spike."""
    parts, changed = {release.raised: Name(release.u)}, (release.variable, release.used)

    def late(lines: Iterable[Statement]) -> tuple[Statement, ...]:
        return tuple(in_line(x, parts) if x.variable in changed else x for x in lines)

    return dataclasses.replace(node, update=late(node.update), reset=late(node.reset))


def _unrounded(node: NodeProgram, release: Release) -> NodeProgram:
    """Release what no grid rounds."""
    return changed(f"{release.variable} = {release.raised}*(1 - {release.used})")(node)


def _of_kind(kind: TsodyksMarkram, dt: float, node: NodeProgram, release: Release) -> NodeProgram:
    """Release by other numbers."""
    u, used = kind.decays(dt)
    kept = {f"{release.u}_kept": u, f"{release.used}_kept": used}
    return with_constants(**kept, **{f"{release.u}_use": kind.U})(node)


def _whole(evidence: Observed, part: Pathway) -> FloatArray:
    return evidence.sent(part.pre).astype(np.float64)


def _anew(in_calls: bool, evidence: Observed, part: Pathway) -> FloatArray:
    """Begin with u and x at rest in each call, or in the first only."""
    return described_releases(evidence, part, silenced=(evidence.within == 0) & in_calls)


_LATE = partial(described_releases, change=_late_rise)
_EXACT = partial(described_releases, change=_unrounded)
_GENERAL: tuple[tuple[str, str, Releases], ...] = (
    ("parameter", "{} transmit the whole weight: no short-term plasticity", _whole),
    ("step order", "{} release by u before it rises", _LATE),
    ("rounding of weights", "what {} release is not rounded", _EXACT),
    ("reset between decisions", "u and x of {} survive a reset", partial(_anew, False)),
    ("between calls", "u and x of {} begin anew in each call of step", partial(_anew, True)),
)


def _others(kind: TsodyksMarkram) -> Iterator[tuple[str, TsodyksMarkram]]:
    """Yield other numbers, each with words."""
    if kind.tau_rec != kind.tau_facil:
        swapped = dataclasses.replace(kind, tau_rec=kind.tau_facil, tau_facil=kind.tau_rec)
        yield "tau_rec and tau_facil are each other's", swapped
    for name in ("tau_rec", "tau_facil"):
        if getattr(kind, name):
            yield f"{name} is 0", dataclasses.replace(kind, **{name: 0.0})
    for factor in _FACTORS:
        for name in ("U", "tau_rec", "tau_facil"):
            value = factor * getattr(kind, name)
            if value and (name != "U" or value <= 1):
                yield f"{name} is {factor:g} times it", dataclasses.replace(kind, **{name: value})
