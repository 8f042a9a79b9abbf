"""Propose other parameters of neurons, fitted to the steps that aren't as predicted.

Each is found from steps in which the backend departs (any other step may still be as described, if
the fault is in some neurons only, or begins late), and then has to predict all the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from neurorl.arithmetic.quantiser import ChipPopulation
from neurorl.network.integrator import Integrator
from neurorl.validation.evidence import Evidence, Mask
from neurorl.validation.hypotheses.neurons import mixin
from neurorl.validation.hypotheses.single import Steps
from neurorl.validation.variants import Array, Variant, changed

__all__ = ["biases", "decays", "gains"]


def decays(evidence: Evidence) -> Iterator[Variant]:
    """Propose other time constants of currents, membranes or both."""
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
    """Return decays of all neurons by one factor of time constants, the median of the fits."""
    if decay is None:
        return None
    described = _decay_of(evidence, variable)
    told = (decay > 0) & (described > 0) & (decay != 1) & (described != 1)
    differing = np.flatnonzero((np.abs(decay - described) > 1e-12) & told)
    if not len(differing):
        return None
    ratio = float(np.median(np.log(described[differing]) / np.log(decay[differing])))
    with np.errstate(divide="ignore"):
        return np.where(described > 0, described ** (1 / ratio), 0.0)


def _fitted_decay(
    evidence: Evidence, variable: str, chosen: Mask, before: Array, left: Array
) -> Array | None:
    """Fit the decay of each neuron that deviates; None if all are as described."""
    described = _decay_of(evidence, variable)
    fit = described.copy()
    weight = np.where(chosen, before.astype(np.float64), 0.0)
    norm = (weight**2).sum(axis=0)
    here = norm > (1e-6 * evidence.limit) ** 2
    if not here.any():
        return None
    fit[here] = ((weight * left).sum(axis=0)[here]) / norm[here]
    if evidence.history.arithmetic.is_chip:
        fit = _whole_decay(fit, described, chosen, before, left)
    return fit if (np.abs(fit - described) > 1e-12).any() else None


def _decay_of(evidence: Evidence, variable: str) -> Array:
    numbers: Integrator | ChipPopulation = evidence.numbers
    if isinstance(numbers, Integrator):
        return np.array(numbers.current_decay if variable == "current" else numbers.membrane_decay)
    is_current = variable == "current"
    return (4095 - numbers.current_decay if is_current else 4096 - numbers.voltage_decay) / 4096


def _whole_decay(fit: Array, described: Array, chosen: Mask, before: Array, left: Array) -> Array:
    """Return the whole 4096ths near a fit that leave exactly what is left."""
    result = described.copy()
    for j in np.flatnonzero(fit != described):
        rows = chosen[:, j]
        x, y = before[rows, j].astype(np.int64), left[rows, j]
        middle = round(float(fit[j]) * 4096)
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
            subject = "the current" if variable == "current" else "the membrane"
            told = _time_constants(evidence, name, _decay_of(evidence, variable), values)
            details.append(f"{subject} decays otherwise{told}")

    def parameters(x: Any) -> Any:
        changed: dict[str, Array] = {}
        if isinstance(x, Integrator):
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
    """Describe the changed time constants, with their ratio if the neurons have it in common."""
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
    rough = evidence.history.arithmetic.is_chip
    if np.ptp(ratio) > (0.05 if rough else 1e-6) * abs(ratio[0]):
        return f": time constants {name} are others; that of neuron {j} {step}"
    value = f"{float(np.median(ratio)):.2g}" if rough else f"{ratio[0]:.6g}"
    about = "about " if rough else ""
    return f": time constant {name} is {about}{value} times that described ({step})"


def biases(evidence: Evidence) -> Iterator[Variant]:
    """Propose another constant bias, or a factor on what signed projections and currents add."""
    steps = Steps(evidence)
    chosen = steps.odd["voltage"] & steps.free
    apart = np.where(chosen, steps.v_now - steps.plain["moved"], 0)
    if not chosen.any():
        return
    offset = np.zeros(apart.shape[1])
    for j in np.flatnonzero(chosen.any(axis=0)):
        offset[j] = np.median(apart[chosen[:, j], j])
    chip = evidence.history.arithmetic.is_chip
    if chip:
        offset = np.rint(offset).astype(np.int64)
    p = evidence.population
    described: Array = evidence.numbers.bias
    yield Variant("bias", "the bias isn't there", bias=np.zeros_like)
    shifted = offset != 0
    middle = float(np.median(offset[shifted])) if shifted.any() else 0.0
    if (described[shifted] != 0).all() and shifted.any():
        factor = 1 + float(np.median(offset[shifted] / described[shifted]))
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
    """Describe an offset in words: as a factor if the neurons have one in common."""
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
    """Propose that the membrane takes only a share of the current."""
    if evidence.history.arithmetic.is_chip:
        return
    steps = Steps(evidence)
    chosen = steps.odd["voltage"] & steps.free & ~steps.odd["current"]
    u = np.where(chosen, steps.u_now, 0.0)
    norm = float((u**2).sum())
    if norm <= 0:
        return
    factor = float((u * np.where(chosen, steps.v_now - steps.plain["moved"], 0.0)).sum()) / norm + 1

    def membrane(n: Any, described: Any, steps: Any) -> Any:
        now, n.u = n.u, factor * n.u
        moved = described(steps)
        n.u = now
        return moved

    detail = f"the membrane takes {factor:.6g} of the current"
    yield changed("weights", mixin(detail, membrane=membrane), freedom=1)
