"""Propose what a simulator may get wrong of short-term plasticity."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from functools import partial

import numpy as np

from neurorl.expressions.nodes import Name
from neurorl.expressions.statements import Statement, read_statements
from neurorl.network.plasticity import TsodyksMarkram
from neurorl.program import NodeProgram, Release
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses.arrivals import Arrivals, groups, otherwise
from neurorl.validation.observed import Releases, described_releases
from neurorl.validation.rewriting import in_line, with_constants
from neurorl.validation.variants import Variant

_FACTORS = (0.5, 2.0, 0.1, 10.0, 1e-3, 1e3)


def releases(evidence: Evidence) -> Iterator[Variant]:
    """Propose other releases of one projection, or of all that have short-term plasticity."""
    short = {p.name: kind for p in evidence.into if (kind := p.projection.short_term) is not None}
    for chosen, subject in groups(short, "spikes of {}", "all spikes"):
        for cause, detail, make in _GENERAL:
            yield Variant(cause, detail.format(subject), arrivals=_released(chosen, make))
    for name, kind in short.items():
        for detail, other in _others(kind):
            make = partial(described_releases, change=partial(_of_kind, other, evidence.network.dt))
            told = f"short-term plasticity of {name}: {detail}"
            yield Variant("parameter", told, arrivals=_released([name], make))


def _released(chosen: Collection[str], make: Releases) -> Arrivals:
    """Return the arrivals, with the releases of some projections replaced."""
    return otherwise(chosen, lambda e, p: e.arriving(p, p.delay, releases=make))


def _late_rise(node: NodeProgram, release: Release) -> NodeProgram:
    """Release by u as it was before the spike raised it: nothing at a first spike."""
    parts, changed = {release.raised: Name(release.u)}, (release.variable, release.used)

    def late(lines: Iterable[Statement]) -> tuple[Statement, ...]:
        return tuple(in_line(x, parts) if x.variable in changed else x for x in lines)

    return dataclasses.replace(node, update=late(node.update), reset=late(node.reset))


def _unrounded(node: NodeProgram, release: Release) -> NodeProgram:
    """Release what no grid rounds."""
    exact = read_statements(
        f"{release.variable} = {release.raised}*(1 - {release.used})", "release"
    )
    lines = (exact[0] if x.variable == release.variable else x for x in node.update)
    return dataclasses.replace(node, update=tuple(lines))


def _of_kind(kind: TsodyksMarkram, dt: float, node: NodeProgram, release: Release) -> NodeProgram:
    """Release by other numbers."""
    u, used = kind.decays(dt)
    kept = {f"{release.u}_kept": u, f"{release.used}_kept": used}
    return with_constants(**kept, **{f"{release.u}_use": kind.U})(node)


_GENERAL: tuple[tuple[str, str, Releases], ...] = (
    (
        "parameter",
        "{} transmit the whole weight: no short-term plasticity",
        lambda e, p: e.sent(p.pre).astype(np.float64),
    ),
    (
        "step order",
        "{} release by u before it rises",
        partial(described_releases, change=_late_rise),
    ),
    (
        "rounding of weights",
        "what {} release is not rounded",
        partial(described_releases, change=_unrounded),
    ),
    (
        "reset between decisions",
        "u and x of {} survive a reset",
        lambda e, p: described_releases(e, p, silenced=np.zeros(e.n_steps, bool)),
    ),
    (
        "between calls",
        "u and x of {} begin anew in each call of step",
        lambda e, p: described_releases(e, p, silenced=e.within == 0),
    ),
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
