"""State what the spikes of a presynaptic neuron release, as statements of that neuron."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.expressions.statements import read_statements
from neurorl.network.description import Network, Projection
from neurorl.network.short_term import RELEASE_GRID
from neurorl.program.program import NodeProgram, Release

__all__ = ["release_of", "with_release"]

_UPDATE = """{u} = {u}_kept*{u}
{used} = {used}_kept*{used}
{raised} = {u} + {u}_use*(1 - {u})
{out} = floor({raised}*(1 - {used})*{inverse!r} + 0.5)*{grid!r}"""
_RESET = "{used} = {used} + {raised}*(1 - {used}); {u} = {raised}"


def with_release(node: NodeProgram, release: Release) -> NodeProgram:
    """Return a presynaptic node that also keeps what its spikes release.

    Raises DescriptionError if a variable of its model has one of the names.
    """
    names = {"u": release.u, "used": release.used, "out": release.variable}
    names["raised"] = release.raised
    taken = {*node.initial, *node.constants, *(line.variable for line in node.update)}
    for name in taken.intersection([*names.values(), *release.constants]):
        what = "a variable has the name of one of short-term plasticity"
        raise DescriptionError(f"population {node.name!r}", what, got=name, remedy="rename it")
    grid = {"inverse": 1 / RELEASE_GRID, "grid": RELEASE_GRID}
    update = read_statements(_UPDATE.format(**names, **grid), release.projection)
    reset = read_statements(_RESET.format(**names), release.projection)
    return replace(
        node,
        initial={**node.initial, release.u: np.zeros(node.size), release.used: np.zeros(node.size)},
        constants={**node.constants, **{k: np.asarray(x) for k, x in release.constants.items()}},
        update=(*node.update, *update),
        reset=(*node.reset, *reset),
        releases={**node.releases, release.variable: release},
    )


def release_of(network: Network, projection: Projection) -> Release:
    """Return the release of a projection with short-term plasticity."""
    plasticity = projection.short_term
    assert plasticity is not None
    number = network.projections.index(projection)
    u, used, out = (f"short_term_{name}{number}" for name in ("u", "used", "release"))
    kept_u, kept_used = plasticity.decays(network.dt)
    constants = {f"{u}_use": plasticity.U, f"{u}_kept": kept_u, f"{used}_kept": kept_used}
    delay = network.delay_steps(projection.name)
    return Release(projection.name, delay, out, u, used, constants)
