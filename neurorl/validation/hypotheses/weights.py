"""Propose other weights: those the backend reports, scaled, rounded, or any at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData
from neurorl.validation.evidence import Evidence, Steps
from neurorl.validation.history import History
from neurorl.validation.hypotheses.arrivals import groups
from neurorl.validation.observed import Mask, Pathway, times
from neurorl.validation.variants import Variant, weights_of

SIDES: dict[str, Callable[[Array], Array]] = {
    "rounded": np.rint,
    "truncated toward zero": np.trunc,
    "rounded down": np.floor,
    "rounded up": np.ceil,
    "rounded away from zero": lambda x: np.sign(x) * np.ceil(np.abs(x)),
}
_STEPS = (*(2.0**-k for k in range(1, 17)), *(x * 10.0**-k for k in (1, 2, 3) for x in (1, 2, 5)))
_BITS = (8, 7, 6, 5, 4, 9, 10, 11, 12, 14, 16)
_FINEST = 1e-6  # step of a grid that is found, of the largest weight


def grid_of(held: Array, described: Array) -> tuple[str, float] | None:
    """Return how weights are rounded, a key of `SIDES`, and to multiples of what; or None."""
    largest = float(np.abs(held).max(initial=0.0))
    near, step = 1e-9 * largest, 0.0
    for x in np.unique(np.abs(held[np.abs(held) > near])):
        step = _common(float(x), step, near)
    if step <= _FINEST * largest or largest - step <= near:  # a grid of one number says nothing
        return None
    at = described / step
    clear = np.abs(at - np.rint(at)) > 1e-6
    for side, f in SIDES.items():
        if clear.sum() > 2 and (np.abs(f(at) * step - held)[clear] <= near).all():
            return side, float(f"{step:.11g}")
    return None


def _common(a: float, b: float, near: float) -> float:
    """Return the largest number of which two are multiples, by Euclid's algorithm."""
    while b > near:
        left = a % b
        a, b = b, 0.0 if b - left < near else left
    return a


def reported(evidence: Evidence) -> Iterator[Variant]:
    """Propose the weights that the backend itself reports as in force, if they differ."""
    history, apart, largest, grids = evidence.history, {}, [0.0], []
    for name in dict.fromkeys(p.projection.name for p in evidence.parts):
        said, described = history.reported[name], history.versions[name]
        pairs = zip(said, described, strict=True)
        differs = max(float(np.abs(one - other).max(initial=0.0)) for one, other in pairs)
        if differs:
            apart[name] = differs
            largest += [float(np.abs(w).max(initial=0.0)) for w in described]
            grids.append(grid_of(said[-1], described[-1]))
    if not apart:
        return
    most = max(apart.values())
    cause, told = "weights", "others"
    if most <= (max(largest) or 1.0) / 100 or all(grids):
        cause, told = "rounding of weights", "rounded"
        if all(grids) and grids[0]:
            told = f"{grids[0][0]} to multiples of {grids[0][1]:g}"
    detail = f"the weights of {', '.join(apart)} are {told}: up to {most:.3g} away from those"
    values = lambda history, name, version: history.reported[name][version]  # noqa: E731
    yield Variant(cause, f"{detail} described", values=values, freedom=2)


def rounded(evidence: Evidence) -> Iterator[Variant]:
    """Propose roundings of what a spike transmits, though the backend says there are none."""
    roundings: dict[str, Callable[[Array], Array]] = {}
    if evidence.history.arithmetic.is_chip:
        for bits in (7, 6, 5, 4):
            roundings[f"mantissas keep their upper {bits} bits only"] = partial(_cut, bits)
    else:
        for kind in (np.float32, np.float16):
            detail = f"weights are rounded to {kind.__name__}"
            roundings[detail] = lambda w, kind=kind: w.astype(kind).astype(np.float64)  # type: ignore[misc]
        for side, bits in itertools.product(SIDES, _BITS):
            detail = f"weights are {side} to {bits} bits with sign, of each projection's largest"
            roundings[detail] = partial(_of_largest, side, 2 ** (bits - 1) - 1)
        for side, step in (*_found(evidence), *itertools.product(SIDES, _STEPS)):
            detail = f"weights are {side} to multiples of {step:g}"
            roundings.setdefault(detail, partial(to_grid, side, step))
    names = [p.name for p in evidence.into]
    for detail, change in roundings.items():
        for chosen, subject in groups(names, "of {}, ", ""):
            told = (subject if len(names) > 1 else "") + detail
            sent = weights_of(dict.fromkeys(chosen, change))
            left = [change(_last(evidence, p)).any() for p in evidence.into if p.name in chosen]
            # What leaves nothing fits wherever nothing is transmitted, whatever the cause.
            free = int(not any(left))
            yield Variant("rounding of weights", told, transmit=sent, freedom=free, of_all=True)


def _found(evidence: Evidence) -> Iterator[tuple[str, float]]:
    """Yield the grids of the weights that explain the currents of all single steps."""
    if evidence.node.names_bias:
        for added in _explaining(evidence):
            for part in (p for p in evidence.into if p.name in added):
                w = _last(evidence, part)
                if (found := grid_of(w + added[part.name], w)) is not None:
                    yield found


def _last(evidence: Evidence, part: Pathway) -> Array:
    """Return what is transmitted of the last weights written."""
    name, history = part.projection.name, evidence.history
    return part.matrices(history.arithmetic.transmitted(name, history.versions[name][-1]))


def to_grid(side: str, step: float, w: Array) -> Array:
    """Round weights, by a key of `SIDES`, to multiples of a number."""
    return np.asarray(SIDES[side](np.asarray(w, dtype=np.float64) / step) * step)


def _of_largest(side: str, values: int, w: Array) -> Array:
    """Round to so many values of each sign, up to the largest weight."""
    return to_grid(side, float(np.abs(w).max(initial=0.0)) / values or 1.0, w)


def _cut(bits: int, w: Array) -> Array:
    scale = (np.gcd.reduce(np.abs(w).astype(np.int64).ravel()) or 1) * 2 ** (8 - bits)
    return np.asarray(np.trunc(w / scale) * scale)


def factors(evidence: Evidence) -> Iterator[Variant]:
    """Propose a factor on all weights of a projection, or on those into each neuron."""
    steps = Steps(evidence)
    missing = (steps.now["current"] - steps.plain["current"]) / steps.left
    inputs = {p.name: evidence.input_of(p)[steps.rows] for p in evidence.into}
    names = [n for n, x in inputs.items() if x.any()]
    if not names or not missing.any():
        return
    deviates = steps.odd["current"] & steps.summed
    columns = np.stack([inputs[n][deviates] for n in names], axis=1)
    one = np.linalg.lstsq(columns, missing[deviates], rcond=None)[0] + 1
    of_each = {n: float(k) for n, k in zip(names, one, strict=True) if abs(k - 1) > 1e-6}
    for name in of_each:  # alone, where others are collinear with it
        x = inputs[name][deviates]
        alone = float((x * missing[deviates]).sum() / ((x**2).sum() or 1.0)) + 1
        yield from scaled(evidence, {name: alone})
    if len(of_each) > 1:
        yield from scaled(evidence, of_each)
    each = {n: np.ones(missing.shape[1]) for n in names}
    for j in np.flatnonzero(deviates.any(axis=0)):
        here = deviates[:, j]
        columns = np.stack([inputs[n][here, j] for n in names], axis=1)
        solved = np.linalg.lstsq(columns, missing[here, j], rcond=None)[0]
        for n, k in zip(names, solved, strict=True):
            each[n][j] += k if abs(k) > 1e-9 else 0.0
    yield from scaled(evidence, {n: k for n, k in each.items() if (k != 1).any()})


def scaled(evidence: Evidence, factors: PlainData) -> Iterator[Variant]:
    """Propose factors on what spikes of projections transmit, numbers or arrays of each neuron."""
    if not factors:
        return
    told = []
    for name, factor in factors.items():
        some = factor[factor != 1][0] if np.ndim(factor) else factor
        which = "some weights" if np.ndim(factor) else "weights"
        told.append(f"{which} of {name} are {some:.7g} times those described")
    parts = [p for p in evidence.into if p.name in factors]
    signed = any(p.projection.signed for p in parts)
    on_chip = evidence.history.arithmetic.is_chip

    def sent(name: str, w: Array) -> Array:
        if name not in factors:
            return w
        product = times(w, np.asarray(factors[name]))
        return np.asarray(np.rint(product) if on_chip and not signed else product)

    def effective(history: History, name: str, version: int) -> Array:
        w = history.versions[name][version]
        for p in parts:
            w = p.times(w, np.asarray(factors[p.name])) if p.projection.name == name else w
        return w

    freedom = max(1 + np.ndim(factor) for factor in factors.values())
    yield Variant("weights", "; ".join(told), transmit=sent, freedom=freedom)
    if signed:
        yield Variant("weights", "; ".join(told), values=effective, freedom=freedom)


def changed(evidence: Evidence) -> Iterator[Variant]:
    """Propose arbitrary weights: those that explain the currents of all single steps."""
    for added in _explaining(evidence):
        detail, factors = _entries(added), dict[str, Array]()
        for part in (p for p in evidence.into if p.name in added):
            more, sent = added[part.name], _last(evidence, part)
            with np.errstate(divide="ignore", invalid="ignore"):
                factors[part.name] = np.where((more != 0) & (sent != 0), 1 + more / sent, 1.0)
        # Factors also hold for the initial weights of other seeds.
        for freedom, change, numbers in ((4, np.multiply, factors), (5, np.add, added)):
            put = {name: partial(_whole, evidence, change, x) for name, x in numbers.items()}
            yield Variant("weights", detail, transmit=weights_of(put), freedom=freedom)


def _explaining(evidence: Evidence) -> Iterator[dict[str, Array]]:
    """Yield what is added to weights, by projection, from the first step or from an odd one on."""
    steps = Steps(evidence)
    missing = (steps.now["current"] - steps.plain["current"]) / steps.left
    deviates = steps.odd["current"]
    if not deviates.any():
        return
    arriving = [evidence.arriving(p)[steps.rows].astype(np.float64) for p in evidence.into]
    late = np.arange(len(deviates)) >= int(deviates.any(axis=1).argmax())
    for rows in (np.ones(len(deviates), bool), late):
        if sum(x.shape[1] for x in arriving) >= rows.sum():
            return
        pairs = zip(arriving, evidence.into, strict=True)
        some = [x[rows].reshape(rows.sum(), p.blocks, -1) for x, p in pairs]
        neurons = np.flatnonzero(deviates.any(axis=0))
        added = _solved(evidence, some, missing[rows], steps.summed[rows], neurons)
        if added:
            yield added


def _solved(
    evidence: Evidence, arriving: list[Array], missing: Array, known: Mask, neurons: Array
) -> dict[str, Array]:
    """Solve for what is added to the weights of all projections at once, neuron by neuron.

    arriving: of each projection ``(steps, blocks, presynaptic)``. known: the steps that count.
    """
    into = evidence.into
    pairs = zip(into, arriving, strict=True)
    added = [np.zeros((p.blocks, x.shape[2], p.n_post // p.blocks)) for p, x in pairs]
    for j in neurons:
        places = [divmod(int(j), x.shape[2]) for x in added]
        here = known[:, j]
        columns = [x[here, block] for x, (block, _) in zip(arriving, places, strict=True)]
        solved = np.linalg.lstsq(np.hstack(columns), missing[here, j], rcond=None)[0]
        parts = np.split(solved, np.cumsum([x.shape[1] for x in columns])[:-1])
        for x, (block, column), part in zip(added, places, parts, strict=True):
            x[block][:, column] = part
    if evidence.kind == "shifts":
        units = (evidence.units[p.name] for p in into)
        added = [np.rint(x / unit) * unit for x, unit in zip(added, units, strict=True)]
    near = max(1e-6 * max(float(np.abs(x).max(initial=0.0)) for x in added), evidence.limit)
    kept = {p.name: np.where(np.abs(x) > near, x, 0.0) for p, x in zip(into, added, strict=True)}
    return {name: x for name, x in kept.items() if x.any()}


def _whole(evidence: Evidence, change: np.ufunc, number: Array, w: Array) -> Array:
    """Return weights times or plus numbers, in the backend's own arithmetic."""
    sent = change(w, number)
    return np.asarray(np.rint(sent) if evidence.history.arithmetic.is_chip else sent)


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
            told = f"{count} weights of {name} are others, that from {pre} to {post}"
            parts.append(f"{told} by {d[block, i, j]:.6g}")
    return "; ".join(parts) + " (as a spike transmits them)"
