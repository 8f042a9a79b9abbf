"""Describe how PyNN's simulators step, and keep delays although currents act a step late there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.errors import check_name
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import Array


class PyNNTarget(NamedTuple):
    """Describe how one of PyNN's simulators steps; all times in steps.

    late: how much later than it arrives a neuron's current acts; subtracted from delays.
    first: PyNN's step in which spikes of the description's first step are recorded.
    begun: how many steps before the description's first the simulator begins.
    dead: steps that it adds to a refractory period.
    options: options of its `setup`. clock: a module whose default clock is also set.
    least: smallest number of spike sources in a population; added ones are silent.
    takes_lists: whether times of spikes are lists, not PyNN's sequences.
    needs_longest: whether `setup` has to be told the longest delay.
    one_refractory: whether all neurons of a population have the same refractory period.
    has_pulses: whether it integrates so well that noise can be given by `neurorl.pynn.pulses`.
    """

    late: int
    first: int
    begun: int
    dead: int
    options: Mapping[str, Any] = MappingProxyType({})
    clock: str = ""
    takes_lists: bool = False
    least: int = 1
    needs_longest: bool = False
    one_refractory: bool = False
    has_pulses: bool = True


TARGETS: Mapping[str, PyNNTarget] = {
    "nest": PyNNTarget(
        late=1,
        first=4,
        begun=3,
        dead=0,
        options={"spike_precision": "on_grid"},
        needs_longest=True,
    ),
    "brian2": PyNNTarget(
        late=1, first=4, begun=4, dead=1, clock="brian2", least=2, one_refractory=True
    ),
    "spiNNaker": PyNNTarget(late=0, first=3, begun=3, dead=0, takes_lists=True, has_pulses=False),
}
"""Hold PyNN's simulators, by the last part of their module's name; ``spynnaker.pyNN`` is spiNNaker.

Networks for spiNNaker were built and mapped on its virtual board, but never run: its steps follow
from its documentation.
"""


def target_name(simulator: Any) -> str:
    """Return the name of a simulator's module. Raises UnknownNameError for another."""
    module = str(getattr(simulator, "__name__", simulator))
    name = "spiNNaker" if module == "spynnaker.pyNN" else module.rpartition(".")[2]
    check_name("simulator of PyNN", name, TARGETS)
    return name


def source_names(network: Network) -> set[str]:
    """Return the names of a network's sources."""
    return {source.name for source in network.sources}


def _shortest(network: Network, p: Projection) -> int:
    """Return the shortest delay of a projection, in steps."""
    delays = network.synapse_delays(p.name)
    if delays is None:
        return network.delay_steps(p.name)
    return int(delays.min(initial=network.delay_steps(p.name)))


def lags_of(network: Network, can: PyNNTarget) -> dict[str, int]:
    """Return by how many steps each node has to spike later in PyNN to keep all delays.

    target delay = described delay - current latency + lag(post) - lag(pre), at least 1 step.
    """
    least = _least(network, can)
    found = _longest(network, least)
    if found is None:  # short loops: a population can't spike later than itself
        found = _longest(
            network, [(a, b, n) for a, b, n in least if n <= 0 or network.steps(b, a) is None]
        )
    assert found is not None
    return found


def has_short_loops(network: Network, can: PyNNTarget) -> bool:
    """Return whether loops are too short for lags to make up for currents that act late."""
    return _longest(network, _least(network, can)) is None


def _least(network: Network, can: PyNNTarget) -> list[tuple[str, str, int]]:
    """Return the ends of each projection, and the least difference of their lags."""
    sources = source_names(network)
    return [
        (p.pre, p.post, can.late + 1 - _shortest(network, p))
        for p in network.projections
        if p.pre not in sources
    ]


def _longest(network: Network, least: list[tuple[str, str, int]]) -> dict[str, int] | None:
    """Return the least lags with ``lag[b] >= lag[a] + n``; None if there are none."""
    lags = dict.fromkeys((node.name for node in network.nodes), 0)
    for _ in range(len(lags) + 1):
        raised = {b: lags[a] + n for a, b, n in least if lags[b] < lags[a] + n}
        if not raised:
            return lags
        for a, b, n in least:
            lags[b] = max(lags[b], lags[a] + n)
    return None


def described_steps(network: Network, p: Projection) -> npt.NDArray[np.int64]:
    """Return the delay of each synapse, in steps."""
    delays = network.synapse_delays(p.name)
    if delays is None:
        return np.full(len(ends_of(network, p)[0]), network.delay_steps(p.name))
    return np.asarray(delays, dtype=np.int64)


def steps_there(
    network: Network, p: Projection, lags: Mapping[str, int], can: PyNNTarget
) -> npt.NDArray[np.int64]:
    """Return the delay of each synapse in PyNN, in steps."""
    steps = described_steps(network, p)
    if p.pre in source_names(network):
        return np.asarray(steps + 1 + lags[p.post], dtype=np.int64)
    there = steps + lags[p.post] - lags[p.pre] - can.late
    return np.asarray(np.maximum(there, 1), dtype=np.int64)


def ends_of(network: Network, p: Projection) -> tuple[Array, Array]:
    """Return the presynaptic and postsynaptic neuron of each weight of a projection."""
    synapses = network.synapses(p.name)
    if synapses is not None:
        return np.asarray(synapses.pre), np.asarray(synapses.post)
    rows, columns = (network.node(end).size // p.blocks for end in (p.pre, p.post))
    block, row, column = np.indices((p.blocks, rows, columns)).reshape(3, -1)
    return block * rows + row, block * columns + column


def as_held(network: Network, target: str) -> Network:
    """Return the network that a target plays for *network* in its own steps, without pulses.

    A current acts a step late there, and shorter delays make up for it. Where delays in a loop are
    too short for that, the returned network has longer ones; else it is *network*.
    """
    check_name("target of PyNN", target, TARGETS)
    can, lags = TARGETS[target], lags_of(network, TARGETS[target])
    projections = []
    for p in network.projections:
        if p.pre not in source_names(network):
            steps = steps_there(network, p, lags, can) + can.late - lags[p.post] + lags[p.pre]
            p = _delayed(network, p, steps)
        projections.append(p)
    return replace(network, projections=tuple(projections))


def _delayed(network: Network, p: Projection, steps: npt.NDArray[np.int64]) -> Projection:
    """Return the projection with these delays; itself if it has them."""
    described = network.synapse_delays(p.name)
    if described is not None:
        return p if np.array_equal(steps, described) else replace(p, delay=steps * network.dt)
    if not len(steps) or steps[0] == network.delay_steps(p.name):
        return p
    return replace(p, delay=float(steps[0] * network.dt))
