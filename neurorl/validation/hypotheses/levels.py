"""Propose thresholds and widths of noise, from the bounds that spikes put on them.

A spike says that the membrane with its noise was above the threshold, silence that it wasn't, so
each step bounds the threshold of its neuron, and they all have to leave a number between them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Mask
from neurorl.validation.rewriting import with_constants
from neurorl.validation.variants import Variant


def fitted_thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Propose another threshold: by a factor, by an offset, or of each neuron."""
    described = evidence.constant("threshold")
    for late in (False, True):
        low, high = _between(evidence, late)
        wrong = (low > described) | (high <= described)
        if not wrong.any():
            continue
        for neurons in (np.ones_like(wrong), wrong):
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = _common(
                    low[neurons] / described[neurons], high[neurons] / described[neurons]
                )
            if factor is not None and (described[neurons] > 0).all():
                detail = f"the threshold is about {factor:.6g} times that described"
                yield _threshold(evidence, detail, np.where(neurons, described * factor, described))
            more = _common((low - described)[neurons], (high - described)[neurons])
            if more is not None:
                way = "more" if more > 0 else "less"
                detail = f"the threshold is about {abs(more):.6g} {way} than described"
                yield _threshold(evidence, detail, np.where(neurons, described + more, described))
        if (low < high).all():
            each = (_common(low[[j]], high[[j]]) if wrong[j] else None for j in range(len(wrong)))
            values = np.array([d if x is None else x for x, d in zip(each, described, strict=True)])
            j = int(np.flatnonzero(wrong)[0])
            now = f"about {values[j]:.6g}, not {described[j]:.6g}"
            yield _threshold(evidence, f"thresholds are others, of neuron {j} {now}", values, 2)


def _between(evidence: Evidence, late: bool) -> tuple[Array, Array]:
    """Return each neuron's highest level without a spike and its lowest level with one.

    late: whether to start at the first step that isn't as predicted.
    """
    found = []
    for e in evidence.siblings:
        known, level = _known(e, late), e.plain.level.astype(np.float64)
        found.append(_bounds(level, known & ~e.spikes, known & e.spikes))
    lows, highs = zip(*found, strict=True)
    return np.max(lows, axis=0), np.min(highs, axis=0)


def _bounds(values: Array, least: Mask, most: Mask) -> tuple[Array, Array]:
    """Return each neuron's largest value of those that are too low, and least of the others."""
    low = np.where(least, values, -np.inf).max(axis=0)
    return low, np.where(most, values, np.inf).min(axis=0)


def _known(evidence: Evidence, late: bool) -> Mask:
    """Mark steps in which a neuron isn't refractory and its level is known; *late*: see `_between`.

    In a call of several steps it is known up to the first spike that isn't as predicted.
    """
    differs = evidence.spikes != evidence.plain.spikes
    before = np.vstack([np.zeros_like(differs[:1]), differs[:-1]])
    rows = np.arange(evidence.n_steps)[:, None]
    last = np.maximum.accumulate(np.where(before, rows, -1), axis=0)
    strayed = last > evidence.starts[evidence.call][:, None]
    starts = evidence.dead_before
    dead = np.vstack([0 * starts[:1], evidence.plain.refractory[:-1]])
    dead[evidence.starts] = starts
    known = evidence.kept_rows[:, None] & ~strayed & (dead == 0)
    if late and evidence.odd.any():
        first = int(evidence.odd.any(axis=1).argmax())
        known = known & (evidence.call >= first)[:, None]
    return np.asarray(known & (evidence.odd.any() or not late))


def _common(low: Array, high: Array) -> float | None:
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
    lows, highs = zip(*(_width_bounds(e, width) for e in evidence.siblings), strict=True)
    low, high = np.max(lows, axis=0), np.min(highs, axis=0)
    wrong = (low >= 1) | (high < 1)
    words = "the width of the noise is {:.6g} times as described"
    if evidence.node.names_bias:
        words = "the noise is about {:.6g} times as wide as described"
    for neurons in (width > 0, wrong):
        factor = _common(low[neurons], high[neurons]) if neurons.any() else None
        if factor is not None:
            wide = {name: np.where(neurons, width * factor, width)}
            yield Variant("noise source", words.format(factor), with_constants(**wide), 1)


def _width_bounds(evidence: Evidence, width: Array) -> tuple[Array, Array]:
    """Return the least and largest factor of each neuron's width that its spikes allow."""
    plain = evidence.plain
    added = width * evidence.draws(evidence.t)
    known = _known(evidence, False) & (width > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = (plain.threshold - plain.moved) / added
    more, less, spikes = known & (added > 0), known & (added < 0), evidence.spikes
    return _bounds(needed, (more & spikes) | (less & ~spikes), (more & ~spikes) | (less & spikes))
