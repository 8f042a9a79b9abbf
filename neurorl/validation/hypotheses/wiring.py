"""Propose other wiring: dead and swapped neurons, weights in another order, spikes that get lost.

Who is dead or swapped isn't searched among all, but read from the calls that aren't as described:
in each of them a spike of a dead neuron was due, or just one of two that are swapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses.arrivals import ending, groups, otherwise
from neurorl.validation.observed import Mask, Observed, Pathway
from neurorl.validation.rewriting import changed
from neurorl.validation.variants import Variant, weights_of

DEAD, SWAPPED, LOST = "dead neuron", "neurons swapped", "lost spikes"
_MOST = 12  # pairs that are tried
_FEW = 6  # odd steps that are looked at first
_MOST_ARRIVING = 300  # spikes in a step
Ranks = tuple[int, ...]
_AT_ONCE = 150  # pairs of arriving spikes of which both may have been lost


def neurons(evidence: Evidence) -> Iterator[Variant]:
    """Propose neurons that never spike, always do, or don't change; gates say which."""
    held = "; ".join(f"{x} = was_{x}" for x in evidence.node.initial)
    never, dead = changed("spikes if: 0 > 1"), changed(f"after: {held} | spikes if: 0 > 1")
    yield Variant(DEAD, "never spikes, whatever its membrane", never)
    yield Variant(DEAD, "neither changes nor spikes", dead)
    yield Variant("threshold", "spikes whenever it isn't refractory", changed("spikes if: 1 > 0"))


def recorded(evidence: Evidence) -> Iterator[Variant]:
    """Propose that the record, not the neurons, has other spikes than described."""
    name, plain = evidence.population.name, evidence.plain["spikes"]
    detail = "spikes reset their neuron, but are not recorded"
    yield Variant(DEAD, detail, recorded=lambda e, x: False & x)
    rows = evidence.kept_rows
    apart = np.flatnonzero((plain != evidence.spikes)[rows].any(axis=0))
    if len(apart) == 2:
        i, j = (int(k) for k in apart)
        detail = f"neurons {i} and {j} of {name} are each other's in the record, not in fact"
        yield Variant(SWAPPED, detail, recorded=lambda e, x: x[:, exchanged(x.shape[1], i, j)])
    missing = plain & ~evidence.spikes & rows[:, None]
    if missing.sum() * 2 < plain[rows].sum():
        told = _lost(evidence, [(plain, missing)], rows)
        detail = f"{told} of {name} are missing in the record, though they reset their neuron"
        yield Variant(LOST, detail, freedom=3, recorded=lambda e, x: x & e.spikes)


def senders(evidence: Evidence) -> Iterator[Variant]:
    """Propose presynaptic neurons of which no spike arrives, or that are taken for each other."""
    odd = np.flatnonzero(evidence.odd.any(axis=1) & evidence.single)
    rows = evidence.starts[odd]
    for pre, chosen, where in _sent(evidence):
        came = [evidence.arriving(p)[rows] > 0 for p in chosen]
        size, names = came[0].shape[1], frozenset(p.name for p in chosen)
        silent = np.logical_or.reduce(came).all(axis=0) if len(rows) else np.zeros(size, bool)
        for i in np.flatnonzero(silent):
            detail = f"neuron {i} of {pre} is dead: none of its spikes arrives{where}"
            arrive = partial(_from_neurons, np.arange(size) != i, np.arange(size))
            yield Variant(DEAD, detail, arrivals=otherwise(names, arrive), of_all=True)
        differ = np.logical_or.reduce([x[:, :, None] != x[:, None, :] for x in came])
        pairs = np.argwhere(np.triu(differ.all(axis=0), 1))
        for i, j in pairs[: _MOST if len(rows) else 0]:
            detail = f"spikes of neurons {i} and {j} of {pre} arrive as each other's{where}"
            arrive = partial(_from_neurons, np.ones(size, bool), exchanged(size, i, j))
            yield Variant(SWAPPED, detail, arrivals=otherwise(names, arrive), of_all=True)


def _sent(evidence: Evidence) -> Iterator[tuple[str, list[Pathway], str]]:
    """Yield presynaptic nodes with what leads from them: all of it, then each projection."""
    for pre in dict.fromkeys(p.pre for p in evidence.into):
        parts = [p for p in evidence.into if p.pre == pre]
        yield pre, parts, ""
        for name in dict.fromkeys(p.projection.name for p in parts):
            some = [p for p in parts if p.projection.name == name]
            if len(some) < len(parts):
                yield pre, some, f" by {name}"


def exchanged(size: int, i: int, j: int) -> npt.NDArray[np.intp]:
    """Return the numbers up to *size* with two in each other's place."""
    order = np.arange(size)
    order[[i, j]] = j, i
    return order


def _from_neurons(living: Mask, order: Array, e: Observed, p: Pathway) -> Array:
    return np.asarray((e.arriving(p) * living)[:, order])


_ARRANGED: dict[str, Callable[[Array], Array]] = {
    "weights of {} are transposed: pre- and postsynaptic neurons in each other's place": (
        lambda w: np.swapaxes(w, 1, 2)
    ),
    "weights of {} are read in column order, not in row order": (
        lambda w: np.stack([x.ravel().reshape(x.shape, order="F") for x in w])
    ),
    "weights of {} are written in column order, not in row order": (
        lambda w: np.stack([x.ravel(order="F").reshape(x.shape) for x in w])
    ),
    "weights of {} have their presynaptic neurons in reverse": lambda w: w[:, ::-1],
    "weights of {} have their postsynaptic neurons in reverse": lambda w: w[:, :, ::-1],
    "weights of {} have all their neurons in reverse": lambda w: w[:, ::-1, ::-1],
    "weights of {} are those of the presynaptic neuron before": lambda w: np.roll(w, 1, 1),
    "weights of {} are those of the presynaptic neuron after": lambda w: np.roll(w, -1, 1),
    "weights of {} are those of the postsynaptic neuron before": lambda w: np.roll(w, 1, 2),
    "weights of {} are those of the postsynaptic neuron after": lambda w: np.roll(w, -1, 2),
    "weights of {} have the other sign": lambda w: -w,
    "weights of {} have no sign": np.abs,
}


def arranged(evidence: Evidence) -> Iterator[Variant]:
    """Propose weights in another order, of one projection or of all."""
    orders = [("weights", detail, order) for detail, order in _ARRANGED.items()]
    apart = np.flatnonzero(evidence.odd.any(axis=0))
    if len(apart) == 2:
        i, j = (int(k) for k in apart)
        detail = f"weights of {{}} into neurons {i} and {j} are each other's"
        order = exchanged(evidence.population.size, i, j)
        orders.insert(0, (SWAPPED, detail, partial(_columns, order)))
    names = list(dict.fromkeys(p.projection.name for p in evidence.into))
    for cause, detail, change in orders:
        for chosen, subject in groups(names, "{}", "all projections"):
            parts = {p.name for p in evidence.into if p.projection.name in chosen}
            put = weights_of(dict.fromkeys(parts, partial(_put, change)))
            yield Variant(cause, detail.format(subject), transmit=put)


def _put(change: Callable[[Array], Array], w: Array) -> Array:
    """Put weights in another order where it gives as many of each neuron."""
    other = change(w)
    return other if other.shape == w.shape else w


def _columns(order: Array, w: Array) -> Array:
    """Put the postsynaptic neurons of all blocks in another order."""
    columns = w.transpose(1, 0, 2).reshape(w.shape[1], -1)[:, order]
    return columns.reshape(w.shape[1], w.shape[0], -1).transpose(1, 0, 2)


def lost(evidence: Evidence) -> Iterator[Variant]:
    """Propose that some spikes never arrive, or arrive twice: those that explain each odd call."""
    for times, told in ((0, "are lost on their way"), (2, "arrive twice")):
        for _, parts, _ in _sent(evidence):
            found = _explaining(evidence, parts, times)
            if found is None:
                continue
            rows = evidence.single[evidence.call]
            sent = [(evidence.arriving(p) > 0, found[p.name]) for p in parts]
            names = ", ".join(dict.fromkeys(p.projection.name for p in parts))
            detail = f"{_lost(evidence, sent, rows)} of {names} {told}"
            solve = partial(_with_lost, parts, times)
            yield Variant(LOST, detail, freedom=3, arrivals=solve, of_steps=True)


def _with_lost(parts: Sequence[Pathway], times: int, e: Observed, p: Pathway) -> Array:
    """Return arrivals without the spikes that a history itself shows to be lost."""
    assert isinstance(e, Evidence)
    plain = e.arriving(p)
    found = _explaining(e, parts, times)
    changed = None if found is None else found.get(p.name)
    return plain if changed is None else np.asarray(plain * np.where(changed, times, 1))


def _explaining(evidence: Evidence, parts: Sequence[Pathway], times: int) -> dict[str, Mask] | None:
    """Return one or two arriving spikes of each odd step that explain it, or None.

    times: how often these arrive.
    """
    key = "explaining", times, *(p.name for p in parts)
    found: dict[str, Mask] | None = evidence._once(key, lambda: _tried(evidence, parts, times))
    return found


def _tried(evidence: Evidence, parts: Sequence[Pathway], times: int) -> dict[str, Mask] | None:
    """Try each arriving spike, then two at once, in all odd steps side by side."""
    odd = np.flatnonzero(evidence.odd.any(axis=1) & evidence.single)
    came = np.hstack([evidence.arriving(p) > 0 for p in parts])
    arriving = came[evidence.starts[odd]].sum(axis=1)
    most = int(arriving.max(initial=0))
    few = odd[np.argsort(arriving, kind="stable")[:_FEW]]
    each: list[Ranks] = [(a,) for a in range(most)]
    pairs = [(a, b) for b in range(most) for a in range(b)]
    is_rare = len(odd) * 2 <= evidence.single.sum() and most <= _MOST_ARRIVING
    if not is_rare or _left(evidence, parts, times, few, each)[1] > 1:
        return None
    lost, left = _left(evidence, parts, times, odd, [*each, *pairs[:_AT_ONCE]])
    return lost if not left else None


def _left(
    evidence: Evidence, parts: Sequence[Pathway], times: int, calls: Array, tries: Sequence[Ranks]
) -> tuple[dict[str, Mask], int]:
    """Return the spikes that explain calls, by their ranks among those that arrive, of *tries*.

    Also how many calls are left.
    """
    plain = {p.name: evidence.arriving(p) for p in parts}
    ends = np.cumsum([x.shape[1] for x in plain.values()])[:-1]
    came = np.hstack([x > 0 for x in plain.values()])
    lost, rank = np.zeros_like(came), np.cumsum(came, axis=1) - 1
    for some in tries:
        if not len(calls):
            break
        kept = np.isin(np.arange(len(evidence.lengths)), calls)
        taken = came & np.isin(rank, some)
        split = zip(plain.items(), np.split(taken, ends, axis=1), strict=True)
        came_so = {n: x * np.where(y, times, 1) for (n, x), y in split}
        arrive = otherwise(came_so, partial(lambda came, e, p: came[p.name], came_so))
        odd = evidence.odd_calls(evidence.predict(Variant("", "", arrivals=arrive), kept=kept))
        right = calls[~odd[calls].any(axis=1)]
        lost[evidence.starts[right]] |= taken[evidence.starts[right]]
        calls = np.setdiff1d(calls, right)
    return dict(zip(plain, np.split(lost, ends, axis=1), strict=True)), len(calls)


def _lost(evidence: Observed, sent: Sequence[tuple[Array, Mask]], rows: Mask) -> str:
    """Say how many spikes are lost, of those in some rows, and whether it is every n-th of all."""
    whole, _ = sent[0]
    gone = np.logical_or.reduce([x for _, x in sent])
    count, total = int((gone & rows[:, None]).sum()), int(whole[rows].sum())
    numbers = np.cumsum(whole.ravel())[gone.ravel()]
    period = int(np.gcd.reduce(np.diff(numbers))) if len(numbers) > 3 else 1
    first = np.argwhere(gone)[0] if gone.any() else (0, 0)
    told = f"{count} of {total} spikes, first that of neuron {first[1]} in step {first[0]},"
    if period > 1 and period * count < 2 * total:
        return f"every {period}{ending(period)} spike: {told}"
    return f"one spike in {total / max(count, 1):.3g}: {told}"
