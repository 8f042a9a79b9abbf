"""Define variants of the described step: what a population does if something is different.

Everything that a hypothesis may change is a field of `Variant`; the default of each is what the
description says. `neurorl.validation.evidence` predicts a history with it.

A gate says where a variant holds: in all neurons and steps, in some only, or from some moment on.
In each call the backend does as described, as the variant says, or neither; in most calls both
say the same. A gate is the simplest rule that parts the calls of the first two kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import Array
from neurorl.program import NodeProgram
from neurorl.validation.history import History
from neurorl.validation.observed import Mask, Observed, Pathway


def latest(history: History, name: str, call: int) -> int:
    """Return the version of a projection's weights that the last write before a call brought."""
    return history.version(name, history.calls[call].writes)


def silence_after_reset(evidence: Observed, variable: str, before: Array) -> Array:
    """Return the state from which each call starts, ``(calls, size)``: 0 after a reset."""
    return np.where(evidence.fresh[:, None], evidence.rest(variable), before)


def weights_of(changes: Mapping[str, Callable[[Array], Array]]) -> Callable[[str, Array], Array]:
    """Return what changes the weights of some pathways, by name, and leaves others."""
    return lambda name, w: changes[name](w) if name in changes else w


@dataclass(frozen=True)
class Variant:
    """Define how a step differs from the description; by default not at all.

    cause: a word for it. detail: a sentence. change: of the neurons' program, see
    `neurorl.validation.rewriting`. freedom: how much of it was fitted to the backend: 0 nothing, 1
    a number, 2 numbers of each neuron, 4 of each synapse.
    arrivals: spikes of a projection that arrive in each step. order: of the projections, where sums
    depend on it. version: index of the weights in
    force among the history's; bias_version: of those in the bias of signed projections; late_by:
    steps by which both come later.
    values: the weights of a version, for transmission and bias. transmit: changes what a spike
    transmits. draws: noise of each step, ``(steps, size)``. start, finish:
    changes each variable before and after each call, ``(calls, size)``. recorded: changes the
    spikes that are recorded, not those that neurons had. of_steps: whether it says nothing of calls
    of several steps. of_all: whether it can't hold in some neurons and not in others.
    """

    cause: str
    detail: str
    change: Callable[[NodeProgram], NodeProgram] = lambda node: node
    freedom: int = 0
    arrivals: Callable[[Observed, Pathway], Array] = Observed.arriving
    order: Callable[[list[Pathway]], list[Pathway]] = lambda into: into
    version: Callable[[History, str, int], int] = latest
    bias_version: Callable[[History, str, int], int] = latest
    values: Callable[[History, str, int], Array] = lambda h, name, k: h.versions[name][k]
    transmit: Callable[[str, Array], Array] = lambda name, weights: weights
    draws: Callable[[Observed], Array] = lambda evidence: evidence.draws(evidence.t)
    start: Callable[[Observed, str, Array], Array] = silence_after_reset
    finish: Callable[[Observed, str, Array], Array] = lambda evidence, variable, after: after
    late_by: int = 0
    recorded: Callable[[Observed, Array], Array] = lambda evidence, spikes: spikes
    of_steps: bool = False
    of_all: bool = False


PLAIN = Variant("", "")
"""Leave the description as it is."""


Feature = Callable[[Observed], Array]

_MOMENTS = 40  # that are tried for when something begins

_COUNTERS: tuple[tuple[str, Feature], ...] = (
    ("from step {} on", lambda e: e.step),
    ("from call {} of step on", lambda e: e.call),
    ("from reset {} on", lambda e: e.resets[e.call]),
    ("from write {} on", lambda e: e.writes[e.call]),
    ("from step {} after a reset on", lambda e: e.since),
    ("from step {} of a call on", lambda e: e.within),
)
_FEATURES: tuple[tuple[str, Feature], ...] = (
    ("in the first step of each call", lambda e: e.within == 0),
    ("in the call after a reset", lambda e: e.fresh[e.call]),
    ("in the call after a write", lambda e: e.wrote[e.call]),
    ("in every second step", lambda e: e.step % 2 == 1),
    ("in every second step", lambda e: e.step % 2 == 0),
    ("in every second call of step", lambda e: e.call % 2 == 1),
    ("in every second call of step", lambda e: e.call % 2 == 0),
)


@dataclass(frozen=True)
class Gate:
    """Say where a variant holds, in words ('' if everywhere). cost: how much it assumes."""

    words: str
    cost: int
    holds: Callable[[Observed], Mask] | None = None


@dataclass(frozen=True)
class Labels:
    """Mark the calls and neurons of a history where only the description or variant is right."""

    evidence: Observed
    described: Mask
    other: Mask


def gates(labels: Sequence[Labels], of_all: bool = False) -> Iterator[Gate]:
    """Yield gates that separate the labels, simplest first; *of_all* neurons, or of some too."""
    described = np.logical_or.reduce([x.described.any(axis=0) for x in labels])
    other = np.logical_or.reduce([x.other.any(axis=0) for x in labels])
    if not other.any():
        return
    if not described.any():
        yield Gate("", 0)
        return
    size = len(other)
    if not (of_all or (described & other).any()):
        yield Gate(_neurons(other), 1, lambda e: np.broadcast_to(other, (e.n_steps, size)))
    yield from _timed(labels, np.ones(size, dtype=bool), "", 2)
    if not (of_all or other.all()):
        yield from _timed(labels, other, f"{_neurons(other)}, ", 3)


def _neurons(chosen: npt.NDArray[np.bool_]) -> str:
    numbers = [str(j) for j in np.flatnonzero(chosen)]
    if len(numbers) == 1:
        return f"of neuron {numbers[0]} only"
    shown = ", ".join(numbers[:8]) + (", ..." if len(numbers) > 8 else "")
    return f"of neurons {shown} only"


def _timed(labels: Sequence[Labels], chosen: Mask, prefix: str, cost: int) -> Iterator[Gate]:
    for until in (False, True):
        for words, feature in _COUNTERS:
            told = words.replace("from", "before").replace(" on", "") if until else words
            ends = ("lasts", "starts") if until else ("starts", "lasts")
            described, other = _range(labels, chosen, feature, *ends)
            earlier, later = (other, described) if until else (described, other)
            first, last = earlier[1] + 1, later[0]
            between = f"{last}" if first >= last or first < 0 else f"{first} to {last}"
            tried = {last, *range(max(first, last - _MOMENTS), last)} if first <= last else ()
            for moment in sorted(tried, reverse=True):
                at = prefix + told.format(between)
                yield _gate(at, cost, chosen, feature, moment, until)
    for words, feature in _FEATURES:
        low, high = _range(labels, chosen, feature)
        if low[1] < high[0]:
            yield _gate(prefix + words, cost, chosen, feature, 1)


def _gate(
    words: str, cost: int, chosen: Mask, feature: Feature, first: int, until: bool = False
) -> Gate:
    """Return a gate where a feature is at least *first*, or with *until* where it is less."""

    def holds(e: Observed) -> Mask:
        return np.asarray((np.asarray(feature(e)) >= first) != until)[:, None] & chosen

    return Gate(words, cost, holds)


def _range(
    labels: Sequence[Labels], chosen: Mask, feature: Feature, *rows: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the least and largest value of a feature over the calls of each label.

    rows: the row of a call that counts for either label, ``'starts'`` or ``'lasts'``: a variant
    that is wrong for a call doesn't hold in all of it, one that is right holds in some of it.
    Without them, only calls of one step count.
    """
    values_at: list[list[int]] = [[], []]
    for x in labels:
        values = np.asarray(feature(x.evidence)).astype(np.int64)
        every = bool(rows) | (x.evidence.lengths == 1)
        of_either = zip(values_at, (x.described, x.other), rows or ("starts",) * 2, strict=True)
        for found, mask, row in of_either:
            found += values[getattr(x.evidence, row)][every & (mask & chosen).any(axis=1)].tolist()
    far = 2**62
    low, high = ((min(f), max(f)) if f else (far, -far) for f in values_at)
    if not values_at[1]:
        return (0, far), (-far, 0)
    if not values_at[0]:
        return (far, -far), high
    return low, high
