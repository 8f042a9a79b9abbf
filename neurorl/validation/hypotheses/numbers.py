"""Numbers of neurons that aren't the described ones, fitted to the steps that aren't as predicted.

Each is found from steps in which the lane departs (any other step may still be as described, if
the fault is in some neurons only, or begins late), and then has to predict all the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.description import Dynamics
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses.neurons import Other
from neurorl.validation.variants import Array, Variant

__all__ = ["biases", "bounds", "decays", "gains", "periods", "reset_values"]

Mask = npt.NDArray[np.bool_]


class Steps:
    """Calls of one step each, of which the state before and after is known, ``(calls, size)``."""

    def __init__(self, evidence: Evidence) -> None:
        calls = np.flatnonzero(evidence.lengths == 1)
        rows = evidence.starts[calls]
        self.rows = rows
        fresh = evidence.fresh[calls][:, None]
        self.u, self.v, self.dead = (
            np.where(fresh, 0, evidence.before[v][calls])
            for v in ("current", "voltage", "refractory")
        )
        self.u_now, self.v_now, self.dead_now = (
            evidence.after[v][calls] for v in ("current", "voltage", "refractory")
        )
        self.spikes = evidence.spikes[rows]
        self.plain = {
            name: getattr(evidence.plain, name)[rows]
            for name in ("current", "voltage", "refractory", "spikes", "moved", "level")
        }
        odd = evidence.odd_states(evidence.plain)
        self.odd = {name: mask[calls] for name, mask in odd.items()}
        self.bias = evidence.bias()[rows]
        self.q = sum((evidence.input_of(p)[rows] for p in evidence.into), np.zeros(self.u.shape))
        self.free = (self.dead == 0) & ~self.spikes


def decays(evidence: Evidence) -> Iterator[Variant]:
    """Other time constants, of currents, membranes or both."""
    steps = Steps(evidence)
    current = _fitted_decay(
        evidence, "current", steps.odd["current"], steps.u, steps.u_now - steps.q
    )
    rest = steps.v_now - steps.u_now - steps.bias
    membrane = _fitted_decay(evidence, "voltage", steps.odd["voltage"] & steps.free, steps.v, rest)
    for freedom in (1, 2):
        now = {
            variable: _common_tau(evidence, variable, decay) if freedom == 1 else decay
            for variable, decay in (("current", current), ("voltage", membrane))
        }
        for names in (["current"], ["voltage"], ["current", "voltage"]):
            chosen = {name: now[name] for name in names}
            if all(x is not None for x in chosen.values()):
                yield _decayed(evidence, freedom, **chosen)


def _common_tau(evidence: Evidence, variable: str, decay: Array | None) -> Array | None:
    """Decays of all neurons, by the factor of time constants that was fitted to most of them."""
    if decay is None:
        return None
    described = _decay_of(evidence, variable)
    odd = np.flatnonzero((np.abs(decay - described) > 1e-12) & (decay > 0) & (described > 0))
    if not len(odd):
        return None
    ratio = float(np.median(np.log(described[odd]) / np.log(decay[odd])))
    with np.errstate(divide="ignore"):
        return np.where(described > 0, described ** (1 / ratio), 0.0)


def _fitted_decay(
    evidence: Evidence, variable: str, chosen: Mask, before: Array, left: Array
) -> Array | None:
    """Of each neuron, what a step leaves; the described where nothing is odd. None if nothing is."""
    described = _decay_of(evidence, variable)
    found = described.copy()
    weight = np.where(chosen, before.astype(np.float64), 0.0)
    norm = (weight**2).sum(axis=0)
    here = norm > (1e-6 * evidence.limit) ** 2
    if not here.any():
        return None
    found[here] = ((weight * left).sum(axis=0)[here]) / norm[here]
    if isinstance(evidence.history.arithmetic, ChipArithmetic):
        found = _whole_decay(found, described, chosen, before, left)
    return found


def _decay_of(evidence: Evidence, variable: str) -> Array:
    arithmetic, p = evidence.history.arithmetic, evidence.population
    if isinstance(arithmetic, ChipArithmetic):
        chip = arithmetic.chip.populations[p.name]
        left = 4095 - chip.current_decay if variable == "current" else 4096 - chip.voltage_decay
        return left / 4096
    d = p.neuron.dynamics(p.size, evidence.network.dt)
    return np.array(d.current_decay if variable == "current" else d.membrane_decay)


def _whole_decay(found: Array, described: Array, chosen: Mask, before: Array, left: Array) -> Array:
    """The whole 4096ths that give just what is left, of those next to a fit."""
    result = described.copy()
    for j in np.flatnonzero(found != described):
        rows = chosen[:, j]
        x, y = before[rows, j].astype(np.int64), left[rows, j]
        middle = round(float(found[j]) * 4096)
        for k in sorted(range(middle - 12, middle + 13), key=lambda k: abs(k - middle)):
            if np.array_equal(np.sign(x) * ((np.abs(x) * k) >> 12), y):
                result[j] = k / 4096
                break
    return result


def _decayed(
    evidence: Evidence,
    freedom: int,
    current: Array | None = None,
    voltage: Array | None = None,
) -> Variant:
    membrane = voltage
    details = []
    for variable, name, values in (
        ("current", "tau_syn", current),
        ("voltage", "tau_mem", membrane),
    ):
        if values is not None:
            what = "the current" if variable == "current" else "the membrane"
            told = _time_constants(evidence, name, _decay_of(evidence, variable), values)
            details.append(f"{what} decays otherwise{told}")

    def parameters(x: Any) -> Any:
        changed: dict[str, Array] = {}
        if isinstance(x, Dynamics):
            changed |= {} if current is None else {"current_decay": current}
            changed |= {} if membrane is None else {"membrane_decay": membrane}
        else:
            if current is not None:
                changed["current_decay"] = 4095 - np.rint(current * 4096).astype(np.int64)
            if membrane is not None:
                changed["voltage_decay"] = 4096 - np.rint(membrane * 4096).astype(np.int64)
        return dataclasses.replace(x, **changed)

    return Variant("decay", "; ".join(details), parameters=parameters, freedom=freedom)


def _time_constants(evidence: Evidence, name: str, described: Array, now: Array) -> str:
    """In words: the time constant and its ratio, if the neurons that differ have one in common."""
    differs = np.flatnonzero(np.abs(now - described) > 1e-12)
    if not len(differs):
        return ""
    dt = evidence.network.dt
    with np.errstate(divide="ignore", invalid="ignore"):
        tau, then = -dt / np.log(now[differs]), -dt / np.log(described[differs])
        ratio = tau / then
    j = differs[0]
    step = f"by {now[j]:.6g} in a step, not {described[j]:.6g}"
    if not np.isfinite(ratio).all():
        return f": {step}, another time constant {name}"
    rough = isinstance(evidence.history.arithmetic, ChipArithmetic)
    if np.ptp(ratio) > (0.05 if rough else 1e-6) * abs(ratio[0]):
        return f": time constants {name} are others; that of neuron {j} {step}"
    value = f"{float(np.median(ratio)):.2g}" if rough else f"{ratio[0]:.6g}"
    return f": time constant {name} is {'about ' if rough else ''}{value} times that described ({step})"


def biases(evidence: Evidence) -> Iterator[Variant]:
    """Another constant bias; or parts of it, of signed projections and currents, by a factor."""
    steps = Steps(evidence)
    chosen = steps.odd["voltage"] & steps.free
    apart = np.where(chosen, steps.v_now - steps.plain["moved"], 0)
    if not chosen.any():
        return
    offset = np.zeros(apart.shape[1])
    for j in np.flatnonzero(chosen.any(axis=0)):
        offset[j] = np.median(apart[chosen[:, j], j])
    chip = isinstance(evidence.history.arithmetic, ChipArithmetic)
    if chip:
        offset = np.rint(offset).astype(np.int64)
    p = evidence.population
    described = evidence.described_bias
    yield Variant("bias", "the bias isn't there", bias=np.zeros_like)
    odd = offset != 0
    middle = float(np.median(offset[odd])) if odd.any() else 0.0
    if (described[odd] != 0).all() and odd.any():
        factor = 1 + float(np.median(offset[odd] / described[odd]))
        scaled = described * (factor - 1)
        if chip:
            scaled = np.rint(scaled).astype(np.int64)
        detail = f"the bias is {factor:.6g} times that described"
        yield Variant("bias", detail, bias=lambda b: b + scaled, freedom=1)
    if np.ptp(described) or not described.all():  # else it is the factor once more
        detail = f"the bias is {middle:.6g} more than described"
        more = np.int64(round(middle)) if chip else middle
        yield Variant("bias", detail, bias=lambda b: b + more, freedom=1)
    told = _told(offset, described, "the bias")
    yield Variant("bias", told, bias=lambda b: b + offset, freedom=2)
    moving = steps.bias - described
    if np.abs(moving).max(initial=0) > 0:
        size = np.where(chosen, moving, 0).astype(np.float64)
        norm = float((size**2).sum())
        if norm > 0:
            factor = float((size * apart).sum()) / norm + 1
            names = [r.name for r in evidence.network.projections if r.post == p.name]
            names = [
                n
                for n in names
                if evidence.network.projection(n).signed
                or evidence.network.projection(n).pre in evidence.network.currents
            ]
            yield Variant(
                "bias",
                f"what {', '.join(names)} add to the bias is {factor:.6g} times that described",
                bias=lambda b: described + factor * (b - described),
                freedom=1,
            )


def _told(offset: Array, described: Array, subject: str) -> str:
    """An offset in words: a factor, if the neurons that differ have one in common."""
    differs = np.flatnonzero(offset)
    if not len(differs):
        return subject
    some = described[differs]
    if np.all(some != 0):
        ratio = 1 + offset[differs] / some
        if np.ptp(ratio) <= 1e-2 * abs(ratio[0]) + 1e-9:
            factor = float(np.median(ratio))
            return f"{subject} of {len(differs)} neurons is {factor:.6g} times that described"
    return (
        f"{subject} is another, of neuron {differs[0]} {offset[differs[0]]:.6g} more than described"
    )


def gains(evidence: Evidence) -> Iterator[Variant]:
    """A share of the current that the membrane takes."""
    if isinstance(evidence.history.arithmetic, ChipArithmetic):
        return
    steps = Steps(evidence)
    chosen = steps.odd["voltage"] & steps.free & ~steps.odd["current"]
    u = np.where(chosen, steps.u_now, 0.0)
    norm = float((u**2).sum())
    if norm <= 0:
        return
    factor = float((u * np.where(chosen, steps.v_now - steps.plain["moved"], 0.0)).sum()) / norm + 1

    class Gained(Other):
        def _membrane(self, steps: Any) -> Array:
            now, self.u = self.u, factor * self.u
            moved = super()._membrane(steps)  # type: ignore[misc]
            self.u = now
            return moved  # type: ignore[no-any-return]

    detail = f"the membrane takes {factor:.6g} of the current"
    yield Variant("weights", detail, mixins=(Gained,), freedom=1)


def periods(evidence: Evidence) -> Iterator[Variant]:
    """Another refractory period of each neuron."""
    steps = Steps(evidence)
    chosen = steps.odd["refractory"] & steps.spikes
    arithmetic, p = evidence.history.arithmetic, evidence.population
    if isinstance(arithmetic, ChipArithmetic):
        described = arithmetic.chip.populations[p.name].refractory - 1
    else:
        described = p.neuron.dynamics(p.size, evidence.network.dt).refractory_steps
    found = described.copy()
    for j in np.flatnonzero(chosen.any(axis=0)):
        found[j] = steps.dead_now[chosen[:, j], j][0]
    if np.array_equal(found, described):
        return
    j = int(np.flatnonzero(found != described)[0])
    apart = np.unique((found - described)[found != described])
    more = int(apart[0])
    if len(apart) == 1:
        length = f"{abs(more)} steps {'longer' if more > 0 else 'shorter'}"
        detail = f"the refractory period is {length}"
    else:
        detail = (
            f"the refractory period is another: {found[j]} steps of neuron {j}, not {described[j]}"
        )

    def parameters(x: Any) -> Any:
        if isinstance(x, Dynamics):
            return dataclasses.replace(x, refractory_steps=found)
        return dataclasses.replace(x, refractory=found + 1)

    yield Variant("refractory", detail, parameters=parameters, freedom=2)


def reset_values(evidence: Evidence) -> Iterator[Variant]:
    """Another value to which a spike resets, or another that it subtracts or leaves a share of."""
    steps = Steps(evidence)
    chosen = steps.odd["voltage"] & steps.spikes & steps.plain["spikes"]
    if not chosen.any():
        return
    to, moved = steps.v_now[chosen], steps.plain["moved"][chosen]
    value = float(np.median(to))
    yield _reset(f"a spike resets the membrane to {value:.6g}, not to 0", lambda v: 0 * v + value)
    less = float(np.median(moved - to))
    yield _reset(f"a spike subtracts {less:.6g} and doesn't reset to 0", lambda v: v - less)
    norm = float((moved.astype(np.float64) ** 2).sum())
    share = float((moved * to).sum()) / norm if norm else 0.0
    detail = f"a spike leaves {share:.6g} of the membrane and doesn't reset to 0"
    yield _reset(detail, lambda v: share * v)
    each = np.zeros(chosen.shape[1])
    for j in np.flatnonzero(chosen.any(axis=0)):
        each[j] = steps.v_now[chosen[:, j], j][0]
    yield _reset(
        "a spike resets the membrane to another value in each neuron", lambda v: 0 * v + each
    )


def _reset(detail: str, becomes: Callable[[Array], Array]) -> Variant:
    class Reset(Other):
        def _spike(self, over: Mask) -> Mask:
            before = self.v.copy()
            over = super()._spike(over)  # type: ignore[misc]
            self.v[over] = becomes(before)[over]
            return over

    return Variant("reset", detail, mixins=(Reset,), freedom=1)


def bounds(evidence: Evidence) -> Iterator[Variant]:
    """A floor or a ceiling of currents or membranes."""
    steps = Steps(evidence)
    for variable, now, plain, free in (
        ("voltage", steps.v_now, steps.plain["moved"], steps.free),
        ("current", steps.u_now, steps.plain["current"], np.ones_like(steps.free)),
    ):
        chosen = steps.odd[variable] & free
        for side in ("floor", "ceiling"):
            beyond = chosen & ((now > plain) if side == "floor" else (now < plain))
            if beyond.any():
                yield _bounded(variable, side, now, beyond)


def _bounded(variable: str, side: str, now: Array, beyond: Mask) -> Variant:
    low = side == "floor"
    values = np.full(now.shape[1], -np.inf if low else np.inf)
    for j in np.flatnonzero(beyond.any(axis=0)):
        values[j] = np.median(now[beyond[:, j], j])
    known = values[np.isfinite(values)]
    if np.ptp(known) == 0:
        values[:] = known[0]
    clamp = np.maximum if low else np.minimum
    subject = "the membrane" if variable == "voltage" else "the current"
    way = "below" if low else "above"
    where = (
        f"{known[0]:.6g}" if np.ptp(known) == 0 else f"a value of each neuron, first {known[0]:.6g}"
    )
    detail = f"{subject} has a {side}: it never goes {way} {where}"

    def held(x: Array) -> Array:
        return clamp(x, values).astype(x.dtype)

    class OfMembrane(Other):
        def _membrane(self, steps: Any) -> Array:
            return held(super()._membrane(steps))  # type: ignore[misc]

    class OfCurrent(Other):
        def _current(self, q: Array) -> Array:
            return held(super()._current(q))  # type: ignore[misc]

    mixin = OfMembrane if variable == "voltage" else OfCurrent
    return Variant(side, detail, mixins=(mixin,), freedom=1)
