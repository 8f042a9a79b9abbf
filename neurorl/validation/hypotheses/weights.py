"""Propose other weights: those the backend reports, scaled, rounded, or any at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neurorl.network.description import Projection
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History
from neurorl.validation.hypotheses.single import Steps
from neurorl.validation.variants import PLAIN, Array, Variant

__all__ = ["changed", "factors", "reported", "rounded"]


def reported(evidence: Evidence) -> Iterator[Variant]:
    """Propose the weights that the backend itself reports as in force, if they differ."""
    history = evidence.history
    names = [
        p.name
        for p in evidence.network.projections
        if p.post == evidence.population.name
        and any(
            not np.array_equal(one, other)
            for one, other in zip(history.reported[p.name], history.versions[p.name], strict=True)
        )
    ]
    if not names:
        return
    apart = max(
        float(np.abs(one - other).max(initial=0.0))
        for name in names
        for one, other in zip(history.reported[name], history.versions[name], strict=True)
    )
    size = max(float(np.abs(w).max(initial=0.0)) for n in names for w in history.versions[n]) or 1.0
    close = apart <= size / 100

    def values(history: History, name: str, version: int) -> Array:
        return history.reported[name][version]

    yield Variant(
        "rounding of weights" if close else "weights",
        f"the weights of {', '.join(names)} are {'rounded' if close else 'others'}: "
        f"up to {apart:.3g} away from those described",
        values=values,
        freedom=2,
    )


def rounded(evidence: Evidence) -> Iterator[Variant]:
    """Propose roundings of what a spike transmits, though the backend says there are none."""

    def float32(_: str, w: Array) -> Array:
        return np.asarray(w, dtype=np.float32).astype(np.float64)

    def float16(_: str, w: Array) -> Array:
        return np.asarray(w, dtype=np.float16).astype(np.float64)

    if not evidence.history.arithmetic.is_chip:
        for name, transmit in (("float32", float32), ("float16", float16)):
            yield Variant(
                "rounding of weights", f"weights are rounded to {name}", transmit=transmit
            )
        for bits in (8, 7, 6, 5, 4, 10, 12, 14, 16):
            detail = f"weights are rounded to {bits} bits with sign, of each projection's largest"
            yield Variant("rounding of weights", detail, transmit=_Bits(bits))
        return
    for bits in (7, 6, 5, 4):
        detail = f"mantissas keep their upper {bits} bits only"

        def cut(_: str, w: Array, unit: int = 2 ** (8 - bits)) -> Array:
            scale = np.gcd.reduce(np.abs(w).astype(np.int64).ravel()) or 1
            return np.trunc(w / (scale * unit)) * (scale * unit)

        yield Variant("rounding of weights", detail, transmit=cut)


class _Bits:
    """Round to ``2**(bits - 1) - 1`` values of each sign, up to the largest weight."""

    def __init__(self, bits: int) -> None:
        self._most = 2 ** (bits - 1) - 1

    def __call__(self, _: str, w: Array) -> Array:
        step = float(np.abs(w).max(initial=0.0)) / self._most or 1.0
        return np.rint(np.asarray(w, dtype=np.float64) / step) * step


def factors(evidence: Evidence) -> Iterator[Variant]:
    """Propose a factor on all weights of a projection, or on those into each neuron."""
    steps = Steps(evidence)
    missing = (steps.u_now - steps.plain["current"]).astype(np.float64)
    inputs = {p.name: evidence.input_of(p)[steps.rows] for p in evidence.into}
    names = [n for n, x in inputs.items() if x.any()]
    if not names or not missing.any():
        return
    deviates = steps.odd["current"]
    columns = np.stack([inputs[n][deviates] for n in names], axis=1)
    one = np.linalg.lstsq(columns, missing[deviates], rcond=None)[0] + 1
    of_each = {n: float(k) for n, k in zip(names, one, strict=True) if abs(k - 1) > 1e-6}
    for name in of_each:  # alone, where others are collinear with it
        x = inputs[name][deviates]
        alone = float((x * missing[deviates]).sum() / ((x**2).sum() or 1.0)) + 1
        yield from _scaled(evidence, {name: alone})
    if len(of_each) > 1:
        yield from _scaled(evidence, of_each)
    each = {n: np.ones(missing.shape[1]) for n in names}
    for j in np.flatnonzero(deviates.any(axis=0)):
        here = deviates[:, j]
        columns = np.stack([inputs[n][here, j] for n in names], axis=1)
        for n, k in zip(
            names, np.linalg.lstsq(columns, missing[here, j], rcond=None)[0], strict=True
        ):
            each[n][j] += k if abs(k) > 1e-9 else 0.0
    yield from _scaled(evidence, {n: k for n, k in each.items() if (k != 1).any()})


def _scaled(evidence: Evidence, factors: dict[str, Any]) -> Iterator[Variant]:
    if not factors:
        return
    parts = []
    for name, factor in factors.items():
        several = isinstance(factor, np.ndarray)
        some = factor[factor != 1][0] if several else factor
        which = "some weights" if several else "weights"
        parts.append(f"{which} of {name} are {some:.7g} times those described")
    detail = "; ".join(parts)
    signed = any(evidence.network.projection(n).signed for n in factors)

    def of(name: str, w: Array) -> Array:
        if name not in factors:
            return w
        factor = factors[name]
        if isinstance(factor, np.ndarray) and w.ndim == 3:
            factor = factor.reshape(w.shape[0], 1, w.shape[2])
        product = w * factor
        on_chip = evidence.history.arithmetic.is_chip
        return np.asarray(np.rint(product) if on_chip and not signed else product)

    freedom = max(2 if isinstance(f, np.ndarray) else 1 for f in factors.values())
    yield Variant("weights", detail, transmit=of, freedom=freedom)
    if signed:
        yield Variant("weights", detail, weights=of, freedom=freedom)


def changed(evidence: Evidence) -> Iterator[Variant]:
    """Propose arbitrary weights: those that explain the currents of all single steps."""
    steps = Steps(evidence)
    missing = (steps.u_now - steps.plain["current"]).astype(np.float64)
    deviates = steps.odd["current"]
    if not deviates.any():
        return
    late = np.arange(len(deviates)) >= int(deviates.any(axis=1).argmax())
    for rows in (np.ones(len(deviates), bool), late):
        sizes = {p.name: _arriving(evidence, p)[steps.rows].shape[1] for p in evidence.into}
        if sum(sizes.values()) >= rows.sum():
            return
        yield from _solved(evidence, steps, missing, rows)


def _arriving(evidence: Evidence, p: Projection) -> Array:
    return PLAIN.arrivals(evidence, p)


def _solved(evidence: Evidence, steps: Steps, missing: Array, rows: Array) -> Iterator[Variant]:
    """Solve for the weights of all projections at once, neuron by neuron."""
    delta = {
        p.name: np.zeros(evidence.network.weight_shape(p.name)).reshape(
            p.blocks, -1, evidence.population.size // p.blocks
        )
        for p in evidence.into
    }
    arriving = {
        p.name: _arriving(evidence, p)[steps.rows[rows]].astype(np.float64) for p in evidence.into
    }
    for blocks, neurons in _blocks(evidence).items():
        deviating = [j for j in neurons if steps.odd["current"][:, j].any()]
        if not deviating:
            continue
        parts = []
        for p, block in zip(evidence.into, blocks, strict=True):
            size = arriving[p.name].shape[1] // p.blocks
            parts.append(arriving[p.name][:, block * size : (block + 1) * size])
        solved = np.linalg.lstsq(np.hstack(parts), missing[rows][:, deviating], rcond=None)[0]
        start = 0
        for p, block, part in zip(evidence.into, blocks, parts, strict=True):
            columns = np.array(deviating) - block * (evidence.population.size // p.blocks)
            delta[p.name][block][:, columns] = solved[start : start + part.shape[1]]
            start += part.shape[1]
    scale = max(float(np.abs(d).max(initial=0.0)) for d in delta.values())
    near = max(1e-6 * scale, evidence.limit)
    kept = {n: np.where(np.abs(d) > near, d, 0.0) for n, d in delta.items()}
    kept = {n: d for n, d in kept.items() if d.any()}
    if not kept:
        return
    yield Variant("weights", _entries(kept), transmit=_times(evidence, kept), freedom=4)
    yield Variant("weights", _entries(kept), transmit=_plus(evidence, kept), freedom=5)


def _blocks(evidence: Evidence) -> dict[tuple[int, ...], list[int]]:
    """Group neurons by the block of each projection that they belong to."""
    neurons: dict[tuple[int, ...], list[int]] = {}
    for j in range(evidence.population.size):
        key = tuple(j // (evidence.population.size // p.blocks) for p in evidence.into)
        neurons.setdefault(key, []).append(j)
    return neurons


def _times(evidence: Evidence, added: dict[str, Array]) -> Any:
    """Convert added weights to factors, which also hold for the initial weights of other seeds."""
    factors = {}
    for name, d in added.items():
        weights = evidence.history.versions[name][-1]
        sent = np.asarray(evidence.history.arithmetic.transmitted(name, weights), dtype=float)
        sent = sent.reshape(d.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            factors[name] = np.where((d != 0) & (sent != 0), 1 + d / sent, 1.0)
    on_chip = evidence.history.arithmetic.is_chip

    def of(name: str, w: Array) -> Array:
        if name not in factors:
            return w
        product = w * factors[name].reshape(w.shape)
        return np.asarray(np.rint(product) if on_chip else product)

    return of


def _plus(evidence: Evidence, added: dict[str, Array]) -> Any:
    on_chip = evidence.history.arithmetic.is_chip

    def of(name: str, w: Array) -> Array:
        if name not in added:
            return w
        total = w + added[name].reshape(w.shape)
        return np.rint(total) if on_chip else total

    return of


def _entries(added: dict[str, Array]) -> str:
    """Name the synapse whose weight differs, or say how many do."""
    parts = []
    for name, d in added.items():
        block, i, j = (int(x[0]) for x in np.nonzero(d))
        count = int((d != 0).sum())
        pre, post = block * d.shape[1] + i, block * d.shape[2] + j
        if count == 1:
            parts.append(f"the weight of {name} from {pre} to {post} is {d[block, i, j]:.6g} more")
        else:
            parts.append(
                f"{count} weights of {name} are others, "
                f"that from {pre} to {post} by {d[block, i, j]:.6g}"
            )
    return "; ".join(parts) + " (as a spike transmits them)"
