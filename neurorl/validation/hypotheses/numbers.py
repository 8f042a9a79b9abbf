"""Propose other parameters of neurons, fitted to the steps that aren't as predicted.

Each is found from steps in which the backend departs (any other step may still be as described, if
the fault is in some neurons only, or begins late), and then has to predict all the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence, Steps
from neurorl.validation.observed import Mask
from neurorl.validation.rewriting import changed, setting, table, with_constants
from neurorl.validation.variants import Variant

_WHOLE = 4096  # of the chip's decays
VARIABLES = {
    "u": ("current", "the current", "tau_syn"),
    "v": ("voltage", "the membrane", "tau_mem"),
}


def decays(evidence: Evidence) -> Iterator[Variant]:
    """Propose other time constants of currents, membranes or both."""
    steps, chip = Steps(evidence), evidence.history.arithmetic.is_chip
    unit, apart = _WHOLE if chip else 1, {"u": steps.now["current"] - steps.plain["current"]}
    apart["v"] = steps.now["voltage"] - steps.plain["met_moved"] - apart["u"]
    fits: dict[str, tuple[Array, Array | None]] = {}
    for x, (variable, _, _) in VARIABLES.items():
        kept, before = evidence.constant(f"kept_{x}"), steps.before[variable]
        left = (np.trunc(before * kept / unit) if chip else kept * before) + apart[x]
        chosen = steps.odd[variable] & (steps.free if x == "v" else True)
        fits[x] = kept / unit, _fitted_decay(evidence, kept / unit, chosen, before, left)
    for freedom in (1, 2):
        now = {x: _common_tau(d, fit) if freedom == 1 else fit for x, (d, fit) in fits.items()}
        for names in ("u", "v", "uv"):
            others = {x: k for x in names if (k := now[x]) is not None}
            if len(others) == len(names):
                told = "; ".join(_time_constants(evidence, x, fits[x][0], others[x]) for x in names)
                whole = {f"kept_{x}": np.rint(k * unit) if chip else k for x, k in others.items()}
                yield Variant("decay", told, with_constants(**whole), freedom)


def _common_tau(described: Array, decay: Array | None) -> Array | None:
    """Return decays of all neurons by one factor of time constants, the median of the fits."""
    if decay is None:
        return None
    told = (decay > 0) & (described > 0) & (decay != 1) & (described != 1)
    differing = np.flatnonzero((np.abs(decay - described) > 1e-12) & told)
    if not len(differing):
        return None
    ratio = float(np.median(np.log(described[differing]) / np.log(decay[differing])))
    with np.errstate(divide="ignore"):
        return np.where(described > 0, described ** (1 / ratio), 0.0)


def _fitted_decay(
    evidence: Evidence, described: Array, chosen: Mask, before: Array, left: Array
) -> Array | None:
    """Fit the decay of each neuron that deviates; None if all are as described."""
    fit = described.copy()
    weight = np.where(chosen, before.astype(np.float64), 0.0)
    norm = (weight**2).sum(axis=0)
    here = norm > (1e-6 * evidence.limit) ** 2
    if not here.any():
        return None
    fit[here] = ((weight * left).sum(axis=0)[here]) / norm[here]
    fit[np.abs(fit) < 1e-12] = 0.0
    if evidence.history.arithmetic.is_chip:
        fit = _whole_decay(fit, described, chosen, before, left)
    return fit if (np.abs(fit - described) > 1e-12).any() else None


def _whole_decay(fit: Array, described: Array, chosen: Mask, before: Array, left: Array) -> Array:
    """Return the whole 4096ths near a fit that leave exactly what is left."""
    result = described.copy()
    for j in np.flatnonzero(fit != described):
        rows = chosen[:, j]
        x, y = before[rows, j].astype(np.int64), left[rows, j]
        middle = round(float(fit[j]) * _WHOLE)
        for k in sorted(range(middle - 12, middle + 13), key=lambda k: abs(k - middle)):
            if np.array_equal(np.trunc(x * k / _WHOLE), y):
                result[j] = k / _WHOLE
                break
    return result


def _time_constants(evidence: Evidence, x: str, described: Array, now: Array) -> str:
    """Describe the changed time constants, with their ratio if the neurons have it in common."""
    _, subject, name = VARIABLES[x]
    subject = f"{subject} decays otherwise"
    differs = np.flatnonzero(np.abs(now - described) > 1e-12)
    if not len(differs):
        return subject
    dt = evidence.network.dt
    with np.errstate(divide="ignore", invalid="ignore"):
        tau, then = -dt / np.log(now[differs]), -dt / np.log(described[differs])
        ratio = tau / then
    j = differs[0]
    step = f"by {now[j]:.6g} in a step, not {described[j]:.6g}"
    if not np.isfinite(ratio).all():
        return f"{subject}: {step}, another time constant {name}"
    rough = evidence.history.arithmetic.is_chip
    if np.ptp(ratio) > (0.05 if rough else 1e-6) * abs(ratio[0]):
        return f"{subject}: time constants {name} are others; that of neuron {j} {step}"
    value = f"about {float(np.median(ratio)):.2g}" if rough else f"{ratio[0]:.6g}"
    return f"{subject}: time constant {name} is {value} times that described ({step})"


def biases(evidence: Evidence) -> Iterator[Variant]:
    """Propose another constant bias, or a factor on what signed projections and currents add."""
    steps, chip = Steps(evidence), evidence.history.arithmetic.is_chip
    chosen = steps.odd["voltage"] & steps.free
    if not chosen.any():
        return
    apart = np.where(chosen, steps.now["voltage"] - steps.plain["met_moved"], 0)
    offset = of_each(apart, chosen)
    described = evidence.own_bias.astype(np.float64)

    def with_bias(detail: str, more: Array | float, freedom: int = 1) -> Variant:
        change = changed("reads bias: bias + more_bias", more_bias=np.rint(more) if chip else more)
        return Variant("bias", detail, change, freedom)

    yield Variant("bias", "the bias isn't there", changed("reads bias: 0*bias"))
    offset = np.rint(offset) if chip else offset
    shifted = offset != 0
    middle = float(np.median(offset[shifted])) if shifted.any() else 0.0
    if (described[shifted] != 0).all() and shifted.any():
        factor = 1 + float(np.median(offset[shifted] / described[shifted]))
        detail = f"the bias is {factor:.6g} times that described"
        yield with_bias(detail, described * (factor - 1))
    if np.ptp(described) or not described.all():  # else it is the factor once more
        yield with_bias(f"the bias is {middle:.6g} more than described", middle)
    yield with_bias(_told(offset, described), offset, 2)
    moving = np.where(chosen, evidence.bias()[steps.rows] - described, 0.0)
    if (more := _ratio(moving, apart)) is not None:
        factor = more + 1
        names = ", ".join(p.name for p in evidence.moving)
        text = "reads bias: own_bias + times*(bias - own_bias)"
        change = changed(text, own_bias=described, times=factor)
        detail = f"what {names} add to the bias is {factor:.6g} times that described"
        yield Variant("bias", detail, change, 1)


def _ratio(x: Array, y: Array) -> float | None:
    """Return the factor by which *x* is nearest to *y*, None if x is 0."""
    norm = float((x**2).sum())
    return float((x * y).sum()) / norm if norm > 0 else None


def _first_of_each(values: Array, chosen: Mask, others: Array) -> Array:
    """Return the first of each neuron's chosen values, those of *others* where there are none."""
    return np.where(chosen.any(axis=0), values[chosen.argmax(axis=0), range(len(others))], others)


def of_each(values: Array, chosen: Mask, other: float = 0.0) -> Array:
    """Return the median of each neuron's chosen values, *other* where there are none."""
    result = np.full(values.shape[1], other)
    for j in np.flatnonzero(chosen.any(axis=0)):
        result[j] = np.median(values[chosen[:, j], j])
    return result


def _told(offset: Array, described: Array) -> str:
    """Describe an offset in words: as a factor if the neurons have one in common."""
    differs = np.flatnonzero(offset)
    if not len(differs):
        return "the bias"
    some = described[differs]
    if np.all(some != 0):
        ratio = 1 + offset[differs] / some
        if np.ptp(ratio) <= 1e-2 * abs(ratio[0]) + 1e-9:
            factor = float(np.median(ratio))
            return f"the bias of {len(differs)} neurons is {factor:.6g} times that described"
    first = f"of neuron {differs[0]} {offset[differs[0]]:.6g} more than described"
    return f"the bias is another, {first}"


def gains(evidence: Evidence) -> Iterator[Variant]:
    """Propose that the membrane takes only a share of the current."""
    if evidence.history.arithmetic.is_chip:
        return
    steps = Steps(evidence)
    chosen = steps.odd["voltage"] & steps.free & ~steps.odd["current"]
    u = np.where(chosen, steps.now["current"], 0.0)
    more = _ratio(u, np.where(chosen, steps.now["voltage"] - steps.plain["met_moved"], 0.0))
    if more is not None:
        change = changed("membrane reads u: share*u", share=more + 1)
        yield Variant("weights", f"the membrane takes {more + 1:.6g} of the current", change, 1)


def periods(evidence: Evidence) -> Iterator[Variant]:
    """Propose other dead steps of each neuron."""
    steps, described = Steps(evidence), evidence.dead_steps
    chosen = steps.odd["refractory"] & steps.spikes
    if not chosen.any():
        return
    dead = _first_of_each(steps.now["refractory"], chosen, described)
    if np.array_equal(dead, described):
        return
    j = int(np.flatnonzero(dead != described)[0])
    apart = np.unique((dead - described)[dead != described])
    if len(apart) == 1:
        told = f"{abs(apart[0])} steps {'longer' if apart[0] > 0 else 'shorter'}"
    else:
        told = f"another: {dead[j]} steps of neuron {j}, not {described[j]}"
    yield Variant("refractory", f"the refractory period is {told}", setting(refractory=dead), 2)


_RESETS = {
    "currents": """
resets the membrane to {}, not to 0 -> on spike: v = fitted
subtracts {} and doesn't reset to 0 -> on spike: v = v - fitted
leaves {} of the membrane and doesn't reset to 0 -> on spike: v = fitted*v
""",
    "shifts": """
resets the membrane to {} -> v = where(count > 0, fitted, level)
subtracts {} -> v = level - count*fitted
subtracts {} more -> v = level - count*threshold - where(count > 0, fitted, 0)
""",
}


def reset_values(evidence: Evidence) -> Iterator[Variant]:
    """Propose another number that a spike sets the membrane to, takes off it, or leaves of it."""
    steps = Steps(evidence)
    now, chosen = steps.now["voltage"], steps.odd["voltage"] & steps.spikes & steps.plain["spikes"]
    chosen = chosen & ~steps.odd.get("release", np.False_)
    if not chosen.any():
        return
    for told, text in table(_RESETS[evidence.kind]).items():
        ends = (Variant("", "", changed(text, fitted=x)) for x in (0.0, 1.0))
        none, one = (evidence.in_one_step(x, steps.calls)["voltage"].astype(float) for x in ends)
        fits = chosen & (one != none)
        number = float(np.median((now - none)[fits] / (one - none)[fits])) if fits.any() else 0.0
        detail = f"a spike {told.format(f'{number:.6g}')}"
        yield Variant("reset", detail, changed(text, fitted=number), 1)
    if evidence.kind == "currents":
        each = _first_of_each(now, chosen, np.zeros(chosen.shape[1]))
        detail = "a spike resets the membrane to another value in each neuron"
        yield Variant("reset", detail, changed("on spike: v = fitted", fitted=each), 1)


_SIDES = ("floor", "below", "max", 1), ("ceiling", "above", "min", -1)


def bounds(evidence: Evidence) -> Iterator[Variant]:
    """Propose a floor or a ceiling of currents or membranes."""
    steps = Steps(evidence)
    for x, plain, free in (("v", "met_moved", steps.free), ("u", "current", np.True_)):
        variable, subject, _ = VARIABLES[x]
        now = steps.now[variable]
        chosen = steps.odd[variable] & free
        for side, way, clamp, sign in _SIDES:
            beyond = chosen & (sign * now > sign * steps.plain[plain])
            if beyond.any():
                values = of_each(now, beyond, -sign * np.inf)
                known = values[np.isfinite(values)]
                where = f"{known[0]:.6g}"
                if np.ptp(known) == 0:
                    values[:] = known[0]
                else:
                    where = f"a value of each neuron, first {where}"
                detail = f"{subject} has a {side}: it never goes {way} {where}"
                clamped = changed(f"after {x}: {x} = {clamp}({x}, bound)", bound=values)
                yield Variant(side, detail, clamped, 1)
