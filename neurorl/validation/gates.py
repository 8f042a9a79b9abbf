"""Find where a variant holds: in all neurons and steps, in some only, or from some moment on.

In each call the backend does as described, as the variant says, or neither; in most calls both
say the same. A gate is the simplest rule that parts the calls of the first two kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Mask

Feature = Callable[[Evidence], Array]

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
    holds: Callable[[Evidence], Mask] | None = None


@dataclass(frozen=True)
class Labels:
    """Mark the calls and neurons of a history where only the description or variant is right."""

    evidence: Evidence
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

    def holds(e: Evidence) -> Mask:
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
