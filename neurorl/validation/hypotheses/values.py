"""Propose values that membranes and currents take or stop at: periods, resets, bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from neurorl.network.integrator import Integrator
from neurorl.validation.evidence import Evidence, Mask
from neurorl.validation.hypotheses.neurons import mixin, with_reset
from neurorl.validation.hypotheses.single import Steps
from neurorl.validation.variants import Array, Variant, changed

__all__ = ["bounds", "periods", "reset_values"]


def periods(evidence: Evidence) -> Iterator[Variant]:
    """Propose another refractory period of each neuron."""
    steps = Steps(evidence)
    chosen = steps.odd["refractory"] & steps.spikes
    numbers = evidence.numbers
    if isinstance(numbers, Integrator):
        described = numbers.refractory_steps
    else:
        described = numbers.refractory - 1
    dead = described.copy()
    for j in np.flatnonzero(chosen.any(axis=0)):
        dead[j] = steps.dead_now[chosen[:, j], j][0]
    if np.array_equal(dead, described):
        return
    j = int(np.flatnonzero(dead != described)[0])
    apart = np.unique((dead - described)[dead != described])
    more = int(apart[0])
    if len(apart) == 1:
        length = f"{abs(more)} steps {'longer' if more > 0 else 'shorter'}"
        detail = f"the refractory period is {length}"
    else:
        detail = (
            f"the refractory period is another: {dead[j]} steps of neuron {j}, not {described[j]}"
        )

    def parameters(x: Any) -> Any:
        if isinstance(x, Integrator):
            return dataclasses.replace(x, refractory_steps=dead)
        return dataclasses.replace(x, refractory=dead + 1)

    yield Variant("refractory", detail, parameters=parameters, freedom=2)


def reset_values(evidence: Evidence) -> Iterator[Variant]:
    """Propose another value that a spike resets to or subtracts, or a share that it leaves."""
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
    return changed("reset", with_reset(detail, lambda n, before: becomes(before)), freedom=1)


def bounds(evidence: Evidence) -> Iterator[Variant]:
    """Propose a floor or a ceiling of currents or membranes."""
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
        return np.asarray(clamp(x, values), dtype=x.dtype)

    method = "membrane" if variable == "voltage" else "current"
    bounded = mixin(detail, **{method: lambda n, described, x: held(described(x))})
    return changed(side, bounded, freedom=1)
