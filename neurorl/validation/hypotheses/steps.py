"""Propose other orders of a step, resets, refractory periods and roundings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from neurorl.network.integrator import Integrator
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses import neurons
from neurorl.validation.variants import Variant, changed

__all__ = ["AT_THRESHOLD", "orders", "refractory", "resets", "roundings", "thresholds"]


def orders(evidence: Evidence) -> Iterator[Variant]:
    """Propose another order of what happens in a step."""
    p = evidence.population
    d = p.integrator(evidence.network.dt)
    for mixin in neurons.ORDERS:
        nothing = mixin in neurons.OF_CURRENT and not d.current_decay.any()
        nothing |= mixin in neurons.OF_MEMBRANE and not d.membrane_decay.any()
        # What decays to nothing may as well be missing, which is said in fewer words.
        yield changed("step order", mixin, freedom=int(nothing))


def resets(evidence: Evidence) -> Iterator[Variant]:
    """Propose other resets, with fixed values."""
    for mixin in neurons.RESETS:
        yield changed("reset", mixin)


def refractory(evidence: Evidence) -> Iterator[Variant]:
    """Propose other lengths of the refractory period, or other behaviour during it."""
    for more in (1, -1, 2, -2, 3):
        size = "a step" if abs(more) == 1 else f"{abs(more)} steps"
        detail = f"the refractory period is {size} {'longer' if more > 0 else 'shorter'}"
        yield Variant("refractory", detail, parameters=partial(_longer, more))
    detail = "there is no refractory period"
    yield Variant("refractory", detail, parameters=partial(_longer, -(2**31)))
    yield Variant(
        "refractory",
        "the refractory period is twice as long",
        parameters=partial(_scaled, 2),
    )
    for mixin in neurons.REFRACTORY:
        yield changed("refractory", mixin)


def thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Propose other comparisons with the described threshold."""
    yield AT_THRESHOLD
    yield changed("threshold", neurons.BOTH_SIGNS)


def roundings(evidence: Evidence) -> Iterator[Variant]:
    """Propose other roundings of decays, and other widths of registers."""
    if evidence.history.arithmetic.is_chip:
        yield from _of_chip()
    else:
        yield from _of_float()


def _of_chip() -> Iterator[Variant]:
    yield changed("overflow", neurons.UNBOUNDED)
    yield changed("overflow", neurons.SATURATED)
    yield changed("decay", neurons.ROUNDED_DOWN)
    yield changed("decay", neurons.ROUNDED_NEAREST)
    yield Variant(
        "decay",
        "the current decays by 1/4096 less in each step: the chip adds 1 to its decay",
        parameters=lambda x: dataclasses.replace(x, current_decay=x.current_decay - 1),
    )


def _of_float() -> Iterator[Variant]:
    for names, subject in (
        (("membrane_decay",), "the membrane decays"),
        (("current_decay",), "the current decays"),
        (("membrane_decay", "current_decay"), "current and membrane decay"),
    ):
        yield Variant(
            "decay",
            f"{subject} by Euler's 1 - dt/tau, not by exp(-dt/tau)",
            parameters=partial(_euler, names),
        )


def _euler(names: Sequence[str], x: Integrator) -> Integrator:
    changed = {}
    for name in names:
        decay = getattr(x, name)
        with np.errstate(divide="ignore"):
            changed[name] = np.maximum(1.0 + np.where(decay > 0, np.log(decay), -1.0), 0.0)
    return dataclasses.replace(x, **changed)


def _longer(by: int, x: Any) -> Any:
    if isinstance(x, Integrator):
        return dataclasses.replace(x, refractory_steps=np.maximum(x.refractory_steps + by, 0))
    return dataclasses.replace(x, refractory=np.maximum(x.refractory + by, 1))


def _scaled(by: int, x: Any) -> Any:
    if isinstance(x, Integrator):
        return dataclasses.replace(x, refractory_steps=x.refractory_steps * by)
    return dataclasses.replace(x, refractory=(x.refractory - 1) * by + 1)


def _lowered(x: Any) -> Any:
    if isinstance(x, Integrator):
        return dataclasses.replace(x, threshold=np.nextafter(x.threshold, -np.inf))
    return dataclasses.replace(x, threshold=x.threshold - 1)


AT_THRESHOLD = Variant(
    "threshold",
    "a membrane that is exactly at the threshold spikes; it must exceed it",
    parameters=_lowered,
)
"""Try this to the last bit: from afar it looks like float error."""
