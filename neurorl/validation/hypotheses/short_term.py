"""Propose what a simulator may get wrong of short-term plasticity."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from functools import partial

import numpy as np

from neurorl.network.description import Projection
from neurorl.network.short_term import RELEASE_GRID, TsodyksMarkram
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses.arrivals import Arrivals, _groups
from neurorl.validation.observed import Array, Mask, Observed, Releases, described_releases
from neurorl.validation.variants import Variant

__all__ = ["releases"]

_FACTORS = (0.5, 2.0, 0.1, 10.0, 1e-3, 1e3)


def releases(evidence: Evidence) -> Iterator[Variant]:
    """Propose other releases of one projection, or of all that have short-term plasticity."""
    short = {p.name: p.short_term for p in evidence.into if p.short_term is not None}
    for chosen, subject in _groups(short, "spikes of {}", "all spikes"):
        for cause, detail, make in _GENERAL:
            yield Variant(cause, detail.format(subject), arrivals=_released(chosen, make))
    for name, kind in short.items():
        for detail, other in _others(kind):
            make = partial(described_releases, kind=other)
            told = f"short-term plasticity of {name}: {detail}"
            yield Variant("parameter", told, arrivals=_released([name], make))


def _released(chosen: Collection[str], make: Releases) -> Arrivals:
    """Return the arrivals, with the releases of some projections replaced."""

    def arrive(evidence: Observed, p: Projection) -> Array:
        changed = make if p.name in chosen else None
        return evidence.arriving(p, evidence.network.delay_steps(p.name), releases=changed)

    return arrive


def _whole(evidence: Observed, p: Projection) -> FloatArray:
    return evidence.sent(p.pre).astype(np.float64)


def _surviving(evidence: Observed, p: Projection) -> FloatArray:
    return described_releases(evidence, p, silenced=np.zeros(evidence.n_steps, bool))


def _cleared(evidence: Observed, p: Projection) -> FloatArray:
    return described_releases(evidence, p, silenced=evidence.within == 0)


def _late_rise(
    kind: TsodyksMarkram, decays: tuple[float, float], u: FloatArray, used: FloatArray, spikes: Mask
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Release by u as it was before the spike raised it: nothing at a first spike."""
    raised, _, _ = kind.step(decays, u, used, spikes)
    u, used = decays[0] * u, decays[1] * used
    released = np.where(spikes, u * (1.0 - used), 0.0)
    return raised, used + released, np.floor(released / RELEASE_GRID + 0.5) * RELEASE_GRID


def _unrounded(
    kind: TsodyksMarkram, decays: tuple[float, float], u: FloatArray, used: FloatArray, spikes: Mask
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Release what no grid rounds."""
    raised, after, _ = kind.step(decays, u, used, spikes)
    return raised, after, np.where(spikes, raised * (1.0 - decays[1] * used), 0.0)


_GENERAL: tuple[tuple[str, str, Releases], ...] = (
    ("parameter", "{} transmit the whole weight: no short-term plasticity", _whole),
    ("step order", "{} release by u before it rises", partial(described_releases, step=_late_rise)),
    (
        "rounding of weights",
        "what {} release is not rounded",
        partial(described_releases, step=_unrounded),
    ),
    ("reset between decisions", "u and x of {} survive a reset", _surviving),
    ("between calls", "u and x of {} begin anew in each call of step", _cleared),
)


def _others(kind: TsodyksMarkram) -> Iterator[tuple[str, TsodyksMarkram]]:
    """Yield other numbers, each with words."""
    if kind.tau_rec != kind.tau_facil:
        swapped = dataclasses.replace(kind, tau_rec=kind.tau_facil, tau_facil=kind.tau_rec)
        yield "tau_rec and tau_facil are each other's", swapped
    for name in ("tau_rec", "tau_facil"):
        if getattr(kind, name):
            yield f"{name} is 0", dataclasses.replace(kind, **{name: 0.0})
    for factor in _FACTORS:
        for name in ("U", "tau_rec", "tau_facil"):
            value = factor * getattr(kind, name)
            if value and (name != "U" or value <= 1):
                yield f"{name} is {factor:g} times it", dataclasses.replace(kind, **{name: value})
