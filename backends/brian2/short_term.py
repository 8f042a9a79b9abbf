"""Write short-term plasticity as lines of the presynaptic group; no Brian2 object is made here.

Names are by the index of the projection, as in `neurorl.backends.brian2.equations`.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from neurorl.backends.brian2.equations import NodeText, ProjectionText
from neurorl.network.description import Network, Projection
from neurorl.network.short_term import RELEASE_GRID

__all__ = [
    "MOST_DELAY",
    "Names",
    "is_short",
    "released_arrival",
    "short_term_constants",
    "with_short_term",
]

MOST_DELAY = 32
"""Limit the delay of a projection, in steps: each step of delay needs a variable of its own."""


class Names(NamedTuple):
    """Hold the names of a projection's variables in the presynaptic group.

    release: what a spike released in the last step, in the one before, and so on.
    """

    u: str
    used: str
    release: tuple[str, ...]

    @classmethod
    def of(cls, network: Network, projection: Projection) -> Names:
        """Return the names of a projection that has short-term plasticity."""
        k, depth = network.projections.index(projection), network.delay_steps(projection.name)
        release = tuple(f"short_release_{k}_{age}" for age in range(1, depth + 1))
        return cls(f"short_u_{k}", f"short_used_{k}", release)


def is_short(name: str) -> bool:
    """Return whether a variable is one of these that is 0 at rest."""
    return name.startswith(("short_u_", "short_used_")) and name[-1].isdigit()


def _leaving(network: Network, node: str) -> list[Projection]:
    """Return the projections with short-term plasticity from a node."""
    spiking = network.spiking.projections
    return [p for p in spiking if p.pre == node and p.short_term is not None]


def short_term_constants(network: Network, node: str) -> dict[str, float]:
    """Return the constants of a node's group, by name."""
    values: dict[str, float] = {}
    for p in _leaving(network, node):
        assert p.short_term is not None
        names, (keep_u, keep_used) = Names.of(network, p), p.short_term.decays(network.dt)
        values |= {f"{names.u}_use": p.short_term.U, f"{names.u}_keep": keep_u}
        values[f"{names.used}_keep"] = keep_used
    return values


def with_short_term(network: Network, node: str, text: NodeText) -> NodeText:
    """Return the text of a node with the lines of what its spikes release, if there are any."""
    projections = _leaving(network, node)
    if not projections:
        return text
    model = [f"{name} : 1 (constant, shared)" for name in short_term_constants(network, node)]
    update, reset = [], [text.reset.replace("; ", "\n")] * bool(text.reset)
    states: list[str] = []
    for p in projections:
        names = Names.of(network, p)
        u, used, raised = names.u, names.used, f"{names.u}_raised"
        model += [f"{name} : 1" for name in (u, used, raised, *names.release)]
        states += [u, used]
        later = zip(names.release[:0:-1], names.release[-2::-1], strict=True)
        update += [
            f"{u} = {u}_keep*{u}",
            f"{used} = {used}_keep*{used}",
            f"{raised} = {u} + {u}_use*(1.0 - {u})",
            *(f"{old} = 1.0*{new}" for old, new in later),
            f"{names.release[0]} = floor({raised}*(1.0 - {used})*{1 / RELEASE_GRID} + 0.5)"
            f"*{RELEASE_GRID!r}",
        ]
        reset += [f"{used} = {used} + {raised}*(1.0 - {used})", f"{u} = 1.0*{raised}"]
    return dataclasses.replace(
        text,
        model="\n".join([text.model, *model]),
        update="\n".join([text.update] * bool(text.update) + update),
        reset="\n".join(reset),
        states=tuple(states),
    )


def released_arrival(
    network: Network, projection: Projection, text: ProjectionText
) -> ProjectionText:
    """Return the text of a projection, whose spikes add what they released times the weight."""
    if projection.short_term is None:
        return text
    release = Names.of(network, projection).release
    return dataclasses.replace(text, release=release)
