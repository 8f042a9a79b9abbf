"""Lower projections: dense blocks stay dense, lists and sparse masks become rows of synapses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.network.description import Network, Population, Projection
from neurorl.network.synapse_list import SynapseList
from neurorl.program.program import ProjectionProgram, Release, SynapseRows

__all__ = ["projection_program"]

_SPARSE = 0.25
"""Make rows of a mask that leaves less than this part of all weights."""


def projection_program(
    network: Network,
    arithmetic: Arithmetic,
    projection: Projection,
    numbers: Mapping[str, int],
    release: Release | None = None,
) -> ProjectionProgram:
    """Return the program of a projection.

    numbers: of nodes, by name. release: what its spikes release; None for all.
    """
    name, post = projection.name, network.node(projection.post)
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
        target=network.target(projection),
        delays=delays,
        block=(shape[-2], shape[-1]) if listed is None else (0, 0),
        n_weights=int(np.prod(shape)) if rows is None else len(rows.to),
        rows=rows,
        has_levels=rows is None and is_plain and learns,
        release=None if release is None else release.variable,
    )


def _rows_of_mask(network: Network, projection: Projection) -> SynapseRows | None:
    """Return the synapses that a mask leaves; None if they are many, or all."""
    mask = projection.mask
    if mask is None or mask.sum() >= _SPARSE * mask.size:
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
