"""Propose numbers of a chip of shifts: thresholds, mantissas of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from neurorl.arithmetic.xylo_integers import STATE_MAX
from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence, Steps
from neurorl.validation.hypotheses.arrivals import by_node
from neurorl.validation.hypotheses.noise import simplest
from neurorl.validation.hypotheses.numbers import of_each
from neurorl.validation.hypotheses.weights import to_grid
from neurorl.validation.observed import Mask
from neurorl.validation.rewriting import with_constants
from neurorl.validation.variants import Variant, weights_of


def thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Propose other thresholds, of both what a membrane meets and what a spike takes off or one."""
    described = evidence.constant("threshold")
    for low, high, odd in _bounds(evidence):
        for told, values, freedom in _within(described, low, high, odd):
            both = with_constants(threshold=values, inverse=1 / values)
            yield Variant("threshold", f"the threshold is {told}", both, freedom)
            detail = f"the threshold that a membrane meets is {told}, not what a spike takes off"
            yield Variant("threshold", detail, with_constants(inverse=1 / values), freedom)


def _bounds(evidence: Evidence) -> Iterator[tuple[Array, Array, Mask]]:
    """Yield bounds of thresholds, ``low < threshold <= high``, and the neurons that deviate."""
    every, most = [Steps(e) for e in evidence.siblings], evidence.constant("most")
    odd = np.concatenate([(x.odd["voltage"] | x.odd["release"]) & ~x.odd["current"] for x in every])
    neurons: Mask = np.asarray(odd.any(axis=0))
    count = np.concatenate([x.now["release"] for x in every]).astype(np.float64)
    level = np.concatenate([x.plain["met_level"] for x in every]).astype(np.float64)
    left = np.concatenate([x.now["voltage"] for x in every])
    for known in (np.ones_like(odd), odd) if neurons.any() else ():
        over = np.where(known & (count < most), level / (count + 1), -np.inf)
        under = np.where(known & (count > 0), level / np.maximum(count, 1), np.inf)
        yield np.maximum(over.max(axis=0), 0), under.min(axis=0), neurons
        taken = of_each((level - left) / np.maximum(count, 1), odd & (count > 0), np.nan)
        yield taken - 0.5, taken, np.asarray(neurons & np.isfinite(taken))


def _within(given: Array, low: Array, high: Array, odd: Mask) -> Iterator[tuple[str, Array, int]]:
    """Yield words, thresholds of each neuron and their freedom: by one number, or any."""
    some = odd & (low < high)
    if not some.any():
        return
    d, least, most = given[some], low[some], np.minimum(high[some], STATE_MAX + 1.0)
    first, last = np.floor((least - d).max()) + 1, np.floor((most - d).min())
    if first <= last and not first <= 0 <= last:
        nearest = first if first > 0 else last
        way = "more" if nearest > 0 else "less"
        yield f"{abs(nearest):g} {way} than given", np.maximum(given + nearest, 1), 1
    one = np.floor(least.max()) + 1
    if one <= most.min():
        yield f"the same number, {one:g}", np.full_like(given, one), 1
    ratios = float((least / d).max()), float((most / d).min())
    if ratios[0] < ratios[1]:
        factor = simplest(*ratios)
        for rounded in (np.rint, np.floor, np.ceil):
            yield f"{factor:g} times that given", np.maximum(rounded(given * factor), 1), 1
    values, fitted = given.copy(), np.where(most <= STATE_MAX, most, least + 1)
    values[some] = np.maximum(np.floor(fitted), 1)
    j = int(np.flatnonzero(some)[0])
    yield f"another: of neuron {j} {values[j]:g}, not {given[j]:g}", values, 2


Whole = Callable[[Array], Array]
"""Change the mantissas of a matrix."""


_ROUNDED = {"down": "rounded down", "to zero": "truncated toward zero", "to nearest": "rounded"}


def _mantissas() -> dict[str, tuple[str, Whole]]:
    """Return changes of mantissas, each with a cause, by words."""
    found: dict[str, tuple[str, Whole]] = {
        "have no sign": ("weights", np.abs),
        "have the other sign": ("weights", np.negative),
        "are lost": ("weights", lambda w: 0 * w),
        "are 0 where they are negative": ("clipping of weights", partial(np.maximum, 0)),
    }
    for bits in range(7, 1, -1):
        high, step = 2 ** (bits - 1) - 1, 2 ** (8 - bits)
        for low in (-high, -high - 1):
            clipped = partial(np.clip, a_min=low, a_max=high)
            found[f"are clipped to {low}..{high}"] = "clipping of weights", clipped
        found[f"wrap around at {bits} bits"] = "clipping of weights", partial(_wrapped, 2**bits)
        for words, side in _ROUNDED.items():
            change = partial(to_grid, side, step)
            found[f"keep their upper {bits} bits, rounded {words}"] = "rounding of weights", change
    return found


def _wrapped(size: int, w: Array) -> Array:
    return np.asarray(w - size * np.floor(w / size + 0.5))


def weights(evidence: Evidence) -> Iterator[Variant]:
    """Propose weights of fewer bits, clipped, or transposed; of one projection or more."""
    for chosen, _ in by_node(evidence, evidence.into, ""):
        names = ", ".join(sorted(chosen))
        for detail, (cause, whole) in _mantissas().items():
            changes = {x: partial(_of_mantissas, evidence.units[x], whole) for x in chosen}
            yield Variant(cause, f"weights of {names} {detail}", transmit=weights_of(changes))
    for p in evidence.into:
        if p.blocks == 1 and p.pre == evidence.population.name:
            turned = weights_of({p.name: lambda w: w.swapaxes(1, 2)})
            yield Variant("weights", f"weights of {p.name} are transposed", transmit=turned)
            others = weights_of({p.name: lambda w: w * (1 - np.eye(w.shape[1]))})
            detail = f"neurons don't reach themselves by {p.name}"
            yield Variant("weights", detail, transmit=others)


def weight_shifts(evidence: Evidence) -> Iterator[Variant]:
    """Propose other shifts of weights, and shifted weights in 8 bits; of one projection or more."""
    exponents = {name: int(np.log2(unit)) for name, unit in evidence.units.items()}
    for chosen, _ in by_node(evidence, evidence.into, ""):
        names = ", ".join(sorted(chosen))
        ways: dict[str, Mapping[str, Whole]] = {}
        for shift in (x for x in range(-7, 8) if x):
            told = f"{abs(shift)} {'more' if shift > 0 else 'less'}"
            change = partial(_shifted, shift)
            ways[f"the weight shift of {names} is {told}"] = dict.fromkeys(chosen, change)
        clipped = partial(np.clip, a_min=-128, a_max=127)
        for did, whole in (("saturate", clipped), ("wrap around", partial(_wrapped, 256))):
            detail = f"weights of {names} {did} at 8 bits when they are shifted"
            ways[detail] = dict.fromkeys(chosen, whole)
        if len({exponents[x] for x in chosen}) == 2:
            ends = sum({exponents[x] for x in chosen})
            for detail, of in (("aren't there", 0), ("are each other's", 1)):
                more = {x: of * (ends - exponents[x]) - exponents[x] for x in chosen}
                by_name = {x: partial(_shifted, shift) for x, shift in more.items()}
                ways[f"weight shifts of {names} {detail}"] = by_name
        for detail, changes in ways.items():
            yield Variant("weights", detail, transmit=weights_of(changes))


def _of_mantissas(unit: float, whole: Whole, w: Array) -> Array:
    return np.asarray(whole(w / unit) * unit)


def _shifted(shift: int, w: Array) -> Array:
    return np.asarray(np.floor(w * 2.0**shift))
