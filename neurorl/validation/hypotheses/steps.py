"""Other orders of a step, resets, refractory periods and roundings than those described."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.network.description import Dynamics
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses import neurons
from neurorl.validation.variants import Variant

__all__ = ["AT_THRESHOLD", "orders", "refractory", "resets", "roundings", "thresholds"]

_ORDERS: Sequence[tuple[type, str]] = (
    (
        neurons.MembraneFirst,
        "the membrane moves before the current of the same step has arrived",
    ),
    (neurons.InputDecays, "input decays with the current: u <- d (u + q), not d u + q"),
    (
        neurons.SumDecays,
        "input decays with the membrane: v <- d (v + u + bias), not d v + u + bias",
    ),
    (
        neurons.CurrentDecaysToo,
        "the current decays with the membrane: v <- d (v + u) + bias, not d v + u + bias",
    ),
    (
        neurons.BiasDecaysToo,
        "the bias decays with the membrane: v <- d (v + bias) + u, not d v + u + bias",
    ),
    (neurons.BiasInCurrent, "the bias goes into the current, not into the membrane"),
    (neurons.ComparedFirst, "the membrane meets the threshold before it moves"),
    (neurons.NoiseStays, "the noise stays in the membrane"),
)

_SHARES: Sequence[tuple[type, str]] = (
    (neurons.CurrentShared, "the membrane takes 1 - d of the current: v <- d v + (1 - d) u + bias"),
    (neurons.DriveShared, "the membrane takes 1 - d of its input: v <- d v + (1 - d) (u + bias)"),
    (neurons.InputShared, "the current takes 1 - d of its input: u <- d u + (1 - d) q"),
)

_OF_CURRENT = (neurons.InputDecays, neurons.InputShared)
_OF_MEMBRANE = (
    neurons.SumDecays,
    neurons.CurrentDecaysToo,
    neurons.BiasDecaysToo,
    neurons.CurrentShared,
    neurons.DriveShared,
)

_RESETS: Sequence[tuple[type, str]] = (
    (neurons.Subtracts, "a spike subtracts the threshold and doesn't reset to 0"),
    (neurons.Kept, "a spike doesn't reset the membrane"),
    (neurons.ResetAtNextStart, "a spike resets the membrane late, as the next step begins"),
    (neurons.ResetInNextStep, "a spike resets the membrane a step late, before its threshold"),
    (neurons.ResetAtNextEnd, "a spike resets the membrane a step late"),
    (neurons.SpikeClearsCurrent, "a spike clears the current too"),
    (
        neurons.SpikeClearsCurrentLate,
        "a spike clears the current too, as the next step begins",
    ),
)

_REFRACTORY: Sequence[tuple[type, str]] = (
    (neurons.IntegratesWhileDead, "the membrane integrates while refractory, and isn't held at 0"),
    (neurons.HeldAStepLess, "the membrane integrates in the last refractory step"),
    (neurons.FrozenWhileDead, "the membrane is frozen while refractory, and isn't held at 0"),
    (neurons.SpikesWhileDead, "neurons spike while refractory"),
    (neurons.NeverDead, "the refractory time is counted, but nothing comes of it"),
    (
        neurons.CurrentForgottenWhileDead,
        "the current is cleared while refractory, but for what arrives",
    ),
    (
        neurons.CurrentClearedUntilFree,
        "the current is cleared from a spike on while refractory",
    ),
    (neurons.CurrentClearedWhileDead, "the current is cleared while refractory"),
    (neurons.CurrentFrozenWhileDead, "the current is frozen while refractory"),
    (neurons.InputLostWhileDead, "input that arrives while refractory is lost"),
)


def orders(evidence: Evidence) -> Iterator[Variant]:
    """What happens in a step, in another order."""
    p = evidence.population
    d = p.neuron.dynamics(p.size, evidence.network.dt)
    for mixin, detail in (*_ORDERS, *_SHARES):
        nothing = mixin in _OF_CURRENT and not d.current_decay.any()
        nothing |= mixin in _OF_MEMBRANE and not d.membrane_decay.any()
        # What decays to nothing may as well be missing, which is said in fewer words.
        yield Variant("step order", detail, mixins=(mixin,), freedom=int(nothing))


def resets(evidence: Evidence) -> Iterator[Variant]:
    """Other resets, with numbers that are given."""
    for mixin, detail in _RESETS:
        yield Variant("reset", detail, mixins=(mixin,))


def refractory(evidence: Evidence) -> Iterator[Variant]:
    """Other lengths of the refractory period, or other things done in it."""
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
    for mixin, detail in _REFRACTORY:
        yield Variant("refractory", detail, mixins=(mixin,))


def thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Other comparisons with the described threshold."""
    yield AT_THRESHOLD
    yield Variant(
        "threshold", "a membrane below minus the threshold spikes too", mixins=(neurons.BothSigns,)
    )


def roundings(evidence: Evidence) -> Iterator[Variant]:
    """Decays and registers of other numbers than described."""
    if isinstance(evidence.history.arithmetic, ChipArithmetic):
        yield from _of_chip()
    else:
        yield from _of_float()


def _of_chip() -> Iterator[Variant]:
    detail = "registers don't overflow, as the chip's do"
    yield Variant("overflow", detail, mixins=(neurons.Unbounded,))
    detail = "registers stay at their largest value, where the chip's overflow"
    yield Variant("overflow", detail, mixins=(neurons.Saturated,))
    detail = "decays are rounded down, not towards zero"
    yield Variant("decay", detail, mixins=(neurons.RoundedDown,))
    yield Variant("decay", "decays are rounded to the nearest", mixins=(neurons.RoundedNearest,))
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


def _euler(names: Sequence[str], x: Dynamics) -> Dynamics:
    changed = {}
    for name in names:
        decay = getattr(x, name)
        with np.errstate(divide="ignore"):
            changed[name] = np.maximum(1.0 + np.where(decay > 0, np.log(decay), -1.0), 0.0)
    return dataclasses.replace(x, **changed)


def _longer(by: int, x: Any) -> Any:
    if isinstance(x, Dynamics):
        return dataclasses.replace(x, refractory_steps=np.maximum(x.refractory_steps + by, 0))
    return dataclasses.replace(x, refractory=np.maximum(x.refractory + by, 1))


def _scaled(by: int, x: Any) -> Any:
    if isinstance(x, Dynamics):
        return dataclasses.replace(x, refractory_steps=x.refractory_steps * by)
    return dataclasses.replace(x, refractory=(x.refractory - 1) * by + 1)


def _lowered(x: Any) -> Any:
    if isinstance(x, Dynamics):
        return dataclasses.replace(x, threshold=np.nextafter(x.threshold, -np.inf))
    return dataclasses.replace(x, threshold=x.threshold - 1)


AT_THRESHOLD = Variant(
    "threshold",
    "a membrane that is exactly at the threshold spikes; it must exceed it",
    parameters=_lowered,
)
"""To be tried to the last bit: it is what float error looks like from afar."""
