"""Propose other draws of noise, thresholds and widths of noise.

The last two follow from the bounds that spikes put on them: a spike says that the membrane with its
noise was above the threshold, silence that it wasn't, so each step bounds the threshold of its
neuron, and they all have to leave a number between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Mask, Observed
from neurorl.validation.rewriting import changed, with_constants
from neurorl.validation.variants import Variant


def fitted_thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Propose another threshold: by a factor, by an offset, or of each neuron."""
    described = evidence.constant("threshold")
    for late in (False, True):
        low, high = allowed(evidence, lambda e: (e.plain["met_level"], np.array(False)), late)
        wrong = (low > described) | (high <= described)
        is_far = np.isinf(high) & (low > 2 * np.abs(described))  # and no spike: dead
        if not wrong.any() or is_far[wrong].all():
            continue
        for neurons in (np.ones_like(wrong), wrong):
            some, fits = described[neurons], dict[str, Array]()
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = common(low[neurons] / some, high[neurons] / some)
            if factor is not None and (some > 0).all():
                fits[f"{factor:.6g} times that"] = described * factor
            if (more := common(low[neurons] - some, high[neurons] - some)) is not None:
                fits[f"{abs(more):.6g} {'more' if more > 0 else 'less'} than"] = described + more
            for told, values in fits.items():
                detail = f"the threshold is about {told} described"
                yield _threshold(evidence, detail, np.where(neurons, values, described))
        if (low < high).all():
            each = (common(low[[j]], high[[j]]) if wrong[j] else None for j in range(len(wrong)))
            values = np.array([d if x is None else x for x, d in zip(each, described, strict=True)])
            j = int(np.flatnonzero(wrong)[0])
            now = f"about {values[j]:.6g}, not {described[j]:.6g}"
            yield _threshold(evidence, f"thresholds are others, of neuron {j} {now}", values, 2)


def allowed(
    evidence: Evidence, turning: Callable[[Evidence], tuple[Array, Array]], late: bool = False
) -> tuple[Array, Array]:
    """Return bounds of a number of each neuron: not less than the first, and less than the second.

    turning: the number with which the membrane is at its threshold in each step, NaN if it is
    unknown, and whether it spikes with a larger one. late: whether to start at the first step that
    isn't as predicted.
    """
    lows, highs = list[Array](), list[Array]()
    for e in evidence.siblings:
        numbers, rises = turning(e)
        known = _known(e, late) & np.isfinite(numbers)
        lows.append(np.where(known & (e.spikes == rises), numbers, -np.inf).max(axis=0))
        highs.append(np.where(known & (e.spikes != rises), numbers, np.inf).min(axis=0))
    return np.max(lows, axis=0), np.min(highs, axis=0)


def _known(evidence: Evidence, late: bool) -> Mask:
    """Mark steps in which a neuron isn't refractory and its level is known; *late*: see `allowed`.

    In a call of several steps it is known up to the first spike that isn't as predicted.
    """
    differs = evidence.spikes != evidence.plain["spikes"]
    before = np.vstack([np.zeros_like(differs[:1]), differs[:-1]])
    rows = np.arange(evidence.n_steps)[:, None]
    last = np.maximum.accumulate(np.where(before, rows, -1), axis=0)
    strayed = last > evidence.starts[evidence.call][:, None]
    starts = evidence.dead_before
    dead = np.vstack([0 * starts[:1], evidence.plain["refractory"][:-1]])
    dead[evidence.starts] = starts
    known = evidence.kept_rows[:, None] & ~strayed & (dead == 0)
    if late and evidence.odd.any():
        first = int(evidence.odd.any(axis=1).argmax())
        known = known & (evidence.call >= first)[:, None]
    return np.asarray(known & (evidence.odd.any() or not late))


def common(low: Array, high: Array) -> float | None:
    """Return the simplest number at least all of *low* and below all of *high*, or None."""
    least, most = float(np.nanmax(low, initial=-np.inf)), float(np.nanmin(high, initial=np.inf))
    if not least < most:
        return None
    return simplest(least, most)


def simplest(least: float, most: float) -> float:
    """Return the number in ``[least, most)`` with the fewest digits, nearest to its middle."""
    if not np.isfinite(least) or not np.isfinite(most):
        return least if np.isfinite(least) else float(np.nextafter(most, -np.inf))
    for digits in range(-3, 16):
        unit = 10.0**-digits
        first = np.ceil(least / unit)
        count = np.ceil(most / unit) - first
        if count >= 1:
            middle = (least + most) / 2
            value = float(np.clip(np.rint(middle / unit), first, first + count - 1) * unit)
            value = round(value, max(digits, 0))
            if least <= value < most:
                return value
    return least


def _threshold(evidence: Evidence, detail: str, values: Array, freedom: int = 1) -> Variant:
    whole = np.floor(values) if evidence.history.arithmetic.is_chip else values
    return Variant("threshold", detail, with_constants(threshold=whole), freedom)


def widths(evidence: Evidence) -> Iterator[Variant]:
    """Propose noise of another width, by a factor."""
    name, width = evidence.width, evidence.noise_width
    if name is None:
        return

    def needed(e: Evidence) -> tuple[Array, Array]:
        added = width * e.draws(e.t)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (e.plain["met_threshold"] - e.plain["met_moved"]) / added, added > 0

    low, high = allowed(evidence, needed)
    wrong = (low >= 1) | (high < 1)
    words = "the noise is about {:.6g} times as wide as described"
    if not evidence.node.names_bias:
        words = "the width of the noise is {:.6g} times as described"
    for neurons in (width > 0, wrong):
        factor = common(low[neurons], high[neurons]) if neurons.any() else None
        if factor is not None:
            wide = {name: np.where(neurons, width * factor, width)}
            yield Variant("noise source", words.format(factor), with_constants(**wide), 1)


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
    drawn = {detail: _drawn(become=become) for detail, become in _CHANGED.items()}
    drawn |= {detail: _drawn(number) for detail, number in _NUMBERS.items()}
    for more in (1, -1, -evidence.history.seed):
        which = "0" if more == -evidence.history.seed else f"{more:+d}"
        drawn[f"the noise is that of seed {which}"] = _drawn(seed=more)
    index = evidence.network.index(evidence.population.name)
    for stream, node in enumerate(evidence.network.nodes):
        if stream != index:
            drawn[f"the noise is that of {node.name}"] = _drawn(stream=stream - index)
    for detail, made in drawn.items():
        yield Variant("noise source", detail, draws=made)


def _drawn(
    number: Callable[[Observed], Array] = lambda e: e.t,
    become: Callable[[Array], Array] = lambda x: x,
    stream: int = 0,
    seed: int = 0,
) -> Callable[[Observed], Array]:
    return lambda e: become(e.draws(number(e), stream, seed))


_AS_SENT = Variant("", "", changed("spikes if: is_sent > 0"))
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
        deviates |= (evidence.spikes != evidence.plain["spikes"])[evidence.kept_rows].any(axis=0)
    if not deviates.any() or (width[deviates] == 0).any():
        return ""
    sums = np.sum([_scores(evidence, deviates) for evidence in evidences], axis=0)
    variance, (likely, steeper, dependent) = sums[0], sums[1::2]
    far = np.abs([likely, steeper, dependent]) > 4 * np.sqrt(sums[2::2])
    if variance < 30 or far[2]:
        return ""
    told = "currents and membranes are as described, but the draws of noise aren't"
    return f"{told}, and neither is their distribution" if far[:2].any() else told


def _scores(evidence: Evidence, deviates: Mask) -> Array:
    """Sum over free steps: variance, then scores (mean 0 if independent) and their variances."""
    plain = evidence.plain
    known = evidence.single[evidence.call][:, None]
    free = known & (evidence.dead_before[evidence.call] == 0) & deviates
    width = evidence.noise_width
    above = ((plain["met_moved"] - plain["met_threshold"]) / np.where(width > 0, width, 1.0))[free]
    p = 1 / (1 + np.exp(-np.clip(above, -30, 30)))
    spiked, described = evidence.spikes[free], (plain["met_level"] > plain["met_threshold"])[free]
    over, variance = spiked - p, p * (1 - p)
    bounded = np.clip(above, -4, 4)
    likely, steeper, dependent = over, over * bounded, over * (described - p)
    squares = variance, variance * bounded**2, variance**2
    scores = zip((likely, steeper, dependent), squares, strict=True)
    return np.array([variance.sum(), *(x.sum() for pair in scores for x in pair)])
