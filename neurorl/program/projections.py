"""Lower projections: dense blocks stay dense, lists and sparse masks become rows of synapses.

What the spikes of a presynaptic neuron release is stated as statements of that neuron.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.errors import DescriptionError
from neurorl.expressions.expression import read_statements
from neurorl.network.description import Network, Population, Projection
from neurorl.network.plasticity import RELEASE_GRID
from neurorl.network.synapse_list import SynapseList
from neurorl.program.program import NodeProgram, ProjectionProgram, Release, SynapseRows

_SPARSE = 0.25
"""Make rows of a mask that leaves less than this part of all weights."""


def projection_program(
    network: Network, arithmetic: Arithmetic, projection: Projection, nodes: Sequence[NodeProgram]
) -> ProjectionProgram:
    """Return the program of a projection; *nodes*: all of the program, and what they release."""
    numbers = {node.name: k for k, node in enumerate(nodes)}
    name, post = projection.name, network.node(projection.post)
    release = nodes[numbers[projection.pre]].release_to(name)
    into = nodes[numbers[projection.post]]
    assert isinstance(post, Population)
    shape = network.weight_shape(name)
    delays: tuple[int, ...] = (network.delay_steps(name),)
    rows, listed = _rows_of_mask(network, projection), network.synapses(name)
    if listed is not None:
        delays, rows = _rows_of_list(listed, network, name)
    is_plain = projection.mask is None and not projection.signed and release is None
    learns = projection.plasticity is not None and arithmetic.is_fine
    return ProjectionProgram(
        name=name,
        pre=numbers[projection.pre],
        post=numbers[projection.post],
        target=network.target(projection) if into.limits is None else into.inputs[0],
        delays=delays,
        block=(shape[-2], shape[-1]) if listed is None else (0, 0),
        n_weights=int(np.prod(shape)) if rows is None else len(rows.to),
        rows=rows,
        has_levels=rows is None and is_plain and learns,
        release=None if release is None or projection.gap else release.variable,
        gap=projection.gap or "",
    )


def _rows_of_mask(network: Network, projection: Projection) -> SynapseRows | None:
    """Return the synapses that a mask leaves, or gap junctions; None if they are many, or all."""
    mask, is_gap = projection.mask, projection.gap is not None
    if is_gap and mask is None and not projection.is_sparse:
        mask = np.ones(network.weight_shape(projection.name), dtype=bool)
    if mask is None or (mask.sum() >= _SPARSE * mask.size and not is_gap):
        return None
    n_pre, n_post = mask.shape[-2:]
    block, pre, post = np.nonzero(mask.reshape(-1, n_pre, n_post))
    neurons = np.arange(network.node(projection.pre).size + 1)
    start = np.searchsorted(block * n_pre + pre, neurons)
    return SynapseRows(start[None], block * n_post + post, np.flatnonzero(mask))


def _rows_of_list(
    listed: SynapseList, network: Network, name: str
) -> tuple[tuple[int, ...], SynapseRows]:
    """Return the delays of a list of synapses, and its synapses by these."""
    steps = network.synapse_delays(name)
    if steps is None or not len(steps):
        return (network.delay_steps(name),), SynapseRows(listed.start[None], listed.post)
    delays, starts, done = np.unique(steps), [], 0
    for delay in delays:
        part, numbers = listed.part(steps == delay)
        starts.append(part.start + done)
        done += len(numbers)
    places = np.argsort(steps, kind="stable").astype(np.int32)
    return tuple(delays.tolist()), SynapseRows(np.stack(starts), listed.post[places], places)


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
