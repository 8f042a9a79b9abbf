"""Propose draws of noise that aren't the described ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Mask, Observed
from neurorl.validation.rewriting import with_threshold
from neurorl.validation.variants import Variant

_NUMBERS: dict[str, Callable[[Observed], Array]] = {
    "the noise is that of the step after": lambda e: e.t + 1,
    "the noise is that of the step before": lambda e: e.t - 1,
    "the noise counts its steps from another start": lambda e: e.step,
    "the noise starts again in every call of step": lambda e: e.within,
    "the noise starts again in every window": lambda e: e.since,
    "the noise doesn't advance in a call of step, but for one step a call": (
        lambda e: e.history.t + e.call
    ),
    "the noise of a call of step is that of its first step": lambda e: e.t - e.within,
    "the noise never advances: it is that of the first step": lambda e: e.t - e.step,
    "the noise advances by two in each step": lambda e: e.t + e.step,
    "the noise advances in every second step only": lambda e: e.history.t + e.step // 2,
    "the noise loses a step in every call of step": lambda e: e.t - e.call,
    "the noise skips a step in every call of step": lambda e: e.t + e.call,
    "the noise skips a step before every call of step": lambda e: e.t + e.call + 1,
    "a reset turns the noise back by a step": lambda e: e.t - e.resets[e.call],
    "a reset skips a step of noise": lambda e: e.t + e.resets[e.call],
    "a write turns the noise back by a step": lambda e: e.t - e.writes[e.call],
    "a write skips a step of noise": lambda e: e.t + e.writes[e.call],
    "the noise of each call of step comes in reverse": (
        lambda e: e.t + e.lengths[e.call] - 1 - 2 * e.within
    ),
    "the noise is that of the call of step before": (
        lambda e: e.history.t + e.starts[np.maximum(e.call - 1, 0)] + e.within
    ),
}
_CHANGED: dict[str, Callable[[Array], Array]] = {
    "there is no noise": lambda x: 0.0 * x,
    "the noise has the other sign": lambda x: -x,
    "all neurons have the noise of the first": lambda x: x[:, :1] + 0 * x,
    "the noise is that of the neuron before": lambda x: np.roll(x, 1, axis=1),
    "the noise is that of the neuron after": lambda x: np.roll(x, -1, axis=1),
    "the noise is that of the neurons in reverse": lambda x: x[:, ::-1],
    "the noise is never negative: its size is taken": np.abs,
}


def draws(evidence: Evidence) -> Iterator[Variant]:
    """Propose no noise, or the noise of another step, seed or population."""
    if not evidence.noise_width.any():
        return
    drawn: dict[str, Callable[[Observed], Array]] = {
        detail: partial(_changed, become) for detail, become in _CHANGED.items()
    }
    drawn |= {detail: partial(_numbered, number) for detail, number in _NUMBERS.items()}
    for more in (1, -1, -evidence.history.seed):
        which = "0" if more == -evidence.history.seed else f"{more:+d}"
        drawn[f"the noise is that of seed {which}"] = partial(_of_stream, 0, more)
    index = evidence.network.index(evidence.population.name)
    for stream, node in enumerate(evidence.network.nodes):
        if stream != index:
            drawn[f"the noise is that of {node.name}"] = partial(_of_stream, stream - index, 0)
    for detail, made in drawn.items():
        yield Variant("noise source", detail, draws=made)


def _changed(become: Callable[[Array], Array], e: Observed) -> Array:
    return become(e.draws(e.t))


def _numbered(number: Callable[[Observed], Array], e: Observed) -> Array:
    return e.draws(number(e))


def _of_stream(stream: int, seed: int, e: Observed) -> Array:
    return e.draws(e.t, stream, seed)


_AS_SENT = Variant("", "", with_threshold("is_sent > 0"))
"""Let a neuron spike when it did on the backend."""


def other_draws(evidences: Sequence[Evidence]) -> str:
    """Say that spikes are independent of the described draws of noise; return '' if they aren't.

    Also say whether they are as likely as described. Judged by the neurons whose spikes deviate.
    Everything but the spikes has to be as described, given the spikes. A threshold, a width or a
    draw that is a little off fails: its spikes depend on the described draws.
    """
    width = evidences[0].noise_width
    if not width.any() or not evidences[0].node.names_bias:
        return ""
    deviates = np.zeros(len(width), dtype=bool)
    for evidence in evidences:
        if evidence.odd_calls(evidence.predict(_AS_SENT)).any():
            return ""
        deviates |= (evidence.spikes != evidence.plain.spikes)[evidence.kept_rows].any(axis=0)
    if not deviates.any() or (width[deviates] == 0).any():
        return ""
    sums = np.sum([_scores(evidence, deviates) for evidence in evidences], axis=0)
    variance, (likely, steeper, dependent) = sums[0], sums[1::2]
    sizes = np.sqrt(sums[2::2])
    far = np.abs([likely, steeper, dependent]) > 4 * sizes
    if variance < 30 or far[2]:
        return ""
    told = "currents and membranes are as described, but the draws of noise aren't"
    return f"{told}, and neither is their distribution" if far[:2].any() else told


def _scores(evidence: Evidence, deviates: Mask) -> Array:
    """Sum over free steps: variance, then scores (mean 0 if independent) and their variances."""
    plain = evidence.plain
    known = np.repeat((evidence.lengths == 1) & evidence.kept, evidence.lengths)[:, None]
    free = known & (evidence.dead_before[evidence.call] == 0) & deviates
    width = evidence.noise_width
    above = ((plain.moved - plain.threshold) / np.where(width > 0, width, 1.0))[free]
    p = 1 / (1 + np.exp(-np.clip(above, -30, 30)))
    spiked, described = evidence.spikes[free], (plain.level > plain.threshold)[free]
    over, variance = spiked - p, p * (1 - p)
    bounded = np.clip(above, -4, 4)
    return np.array(
        [
            variance.sum(),
            over.sum(),
            variance.sum(),
            (over * bounded).sum(),
            (variance * bounded**2).sum(),
            (over * (described - p)).sum(),
            (variance**2).sum(),
        ]
    )
