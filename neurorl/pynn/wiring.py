"""Make PyNN's spike sources and projections, with delays as if currents acted at once.

All synapses of a projection are made at once, as PyNN's own `FromListConnector` takes milliseconds
for each postsynaptic cell. The methods of its simulators used here are private;
tests/pynn/test_pynn.py reads the results by public ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.errors import check_name
from neurorl.network.description import Network, Projection, Source
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.storage.plain import Named

PynnObject = Any
"""Represent a module of PyNN, or an object of its simulators, which have no types."""


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
    options: Named = MappingProxyType({})
    clock: str = ""
    takes_lists: bool = False
    least: int = 1
    needs_longest: bool = False
    one_refractory: bool = False
    has_pulses: bool = True


_ON_GRID = {"spike_precision": "on_grid"}
TARGETS: Mapping[str, PyNNTarget] = {
    "nest": PyNNTarget(late=1, first=4, begun=3, dead=0, options=_ON_GRID, needs_longest=True),
    "brian2": PyNNTarget(
        late=1, first=4, begun=4, dead=1, clock="brian2", least=2, one_refractory=True
    ),
    "spiNNaker": PyNNTarget(late=0, first=3, begun=3, dead=0, takes_lists=True, has_pulses=False),
}
"""Hold PyNN's simulators, by the last part of their module's name; ``spynnaker.pyNN`` is spiNNaker.

Networks for spiNNaker were built and mapped on its virtual board, but never run: its steps follow
from its documentation.
"""


def target_name(simulator: PynnObject) -> str:
    """Return the name of a simulator's module. Raises UnknownNameError for another."""
    module = str(getattr(simulator, "__name__", simulator))
    name = "spiNNaker" if module == "spynnaker.pyNN" else module.rpartition(".")[2]
    check_name("simulator of PyNN", name, TARGETS)
    return name


def lags_of(network: Network, can: PyNNTarget) -> dict[str, int]:
    """Return by how many steps each node has to spike later in PyNN to keep all delays.

    target delay = described delay - current latency + lag(post) - lag(pre), at least 1 step.
    """
    least = _least(network, can)
    found = _longest(network, least)
    if found is None:  # short loops: a population can't spike later than itself
        longer = [(a, b, n) for a, b, n in least if n <= 0 or network.steps(b, a) is None]
        found = _longest(network, longer)
    assert found is not None
    return found


def has_short_loops(network: Network, can: PyNNTarget) -> bool:
    """Return whether loops are too short for lags to make up for currents that act late."""
    return _longest(network, _least(network, can)) is None


def _least(network: Network, can: PyNNTarget) -> list[tuple[str, str, int]]:
    """Return the ends of each projection, and the least difference of their lags."""
    least = []
    for p in network.projections:
        if not isinstance(network.node(p.pre), Source):
            shortest = network.synapse_steps(p.name).min(initial=network.delay_steps(p.name))
            least.append((p.pre, p.post, can.late + 1 - int(shortest)))
    return least


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


def steps_there(
    network: Network, p: Projection, lags: Mapping[str, int], can: PyNNTarget
) -> IntArray:
    """Return the delay of each synapse in PyNN, in steps."""
    steps = network.synapse_steps(p.name)
    if isinstance(network.node(p.pre), Source):
        return np.asarray(steps + 1 + lags[p.post], dtype=np.int64)
    return np.asarray(np.maximum(steps + lags[p.post] - lags[p.pre] - can.late, 1), dtype=np.int64)


def as_held(network: Network, target: str) -> Network:
    """Return the network that a target plays for *network* in its own steps, without pulses.

    A current acts a step late there, and shorter delays make up for it. Where delays in a loop are
    too short for that, the returned network has longer ones; else it is *network*.
    """
    check_name("target of PyNN", target, TARGETS)
    can, lags = TARGETS[target], lags_of(network, TARGETS[target])
    projections = []
    for p in network.projections:
        if not isinstance(network.node(p.pre), Source):
            steps = steps_there(network, p, lags, can) + can.late - lags[p.post] + lags[p.pre]
            if not np.array_equal(steps, network.synapse_steps(p.name)):
                is_listed = network.synapse_delays(p.name) is not None
                delays = steps * network.dt
                p = replace(p, delay=delays if is_listed else float(delays[0]))
        projections.append(p)
    return replace(network, projections=tuple(projections))


def make_projection(
    simulator: PynnObject,
    ends: tuple[PynnObject, PynnObject],
    pre: IntArray,
    post: IntArray,
    weights: FloatArray,
    delays: FloatArray,
    receptor: str,
) -> PynnObject:
    """Return a projection of these synapses; weights in nA, all of one sign, delays in ms."""
    fill = _FILL.get(str(getattr(simulator, "__name__", "")))
    if fill is None:
        columns = (pre, post, weights, delays)
        listed = list(zip(*(column.tolist() for column in columns), strict=True))
        connector = simulator.FromListConnector(listed, column_names=["weight", "delay"])
    else:
        connector = simulator.FromListConnector([])
    kinds = {"synapse_type": simulator.StaticSynapse(), "receptor_type": receptor}
    made = simulator.Projection(*ends, connector, **kinds)
    if fill is not None:
        fill(made, pre, post, weights, delays)
    return made


def _fill_nest(
    made: PynnObject, pre: IntArray, post: IntArray, weights: FloatArray, delays: FloatArray
) -> None:
    nest: PynnObject = importlib.import_module("nest")
    ids = [np.asarray(end.all_cells, dtype=np.int64) for end in (made.pre, made.post)]
    model = {"synapse_model": made.nest_synapse_model, "synapse_label": made.nest_synapse_label}
    numbers = {"weight": weights * 1e3, "delay": delays}  # pA, ms
    nest.Connect(ids[0][pre], ids[1][post], "one_to_one", {**model, **numbers})
    made._sources.update(ids[0][np.unique(pre)].tolist())
    made._simulator.state.stale_connection_cache = True


def _fill_brian2(
    made: PynnObject, pre: IntArray, post: IntArray, weights: FloatArray, delays: FloatArray
) -> None:
    brian2: PynnObject = importlib.import_module("brian2")
    synapses = made._brian2_synapses[0][0]
    synapses.connect(i=pre, j=post)
    synapses.weight = weights * brian2.nA
    synapses.delay = delays * brian2.ms
    made._n_connections += len(pre)


_FILL: Mapping[str, Callable[..., None]] = {"pyNN.nest": _fill_nest, "pyNN.brian2": _fill_brian2}


_EARLY = 1e-9
"""Let a source spike so long before the end of its step, ms."""


class Rows(NamedTuple):
    """Hold synapses: presynaptic and postsynaptic neurons, weights in nA, delays in substeps."""

    pre: IntArray
    post: IntArray
    weights: FloatArray
    steps: IntArray


def spike_sources(
    simulator: PynnObject,
    trains: Sequence[npt.NDArray[np.floating[PynnObject]]],
    label: str,
    can: PyNNTarget,
) -> PynnObject:
    """Return a population that spikes at these times, in ms, a train for each cell."""
    times = spike_times(trains, can)
    cell = simulator.SpikeSourceArray(spike_times=times)
    return simulator.Population(len(times), cell, label=label)


def spike_times(
    trains: Sequence[npt.NDArray[np.floating[PynnObject]]], can: PyNNTarget
) -> list[PynnObject]:
    """Return trains, in ms, in the simulator's form."""
    # NEST rounds a time up to the end of its step, after PyNN has subtracted a delay
    times: list[PynnObject] = [(np.round(train, 9) - _EARLY).tolist() for train in trains]
    times += [[]] * (can.least - len(times))
    sequence: PynnObject = importlib.import_module("pyNN.parameters").Sequence
    return times if can.takes_lists else [sequence(train) for train in times]


def synapses(network: Network, p: Projection, weights: FloatArray, gain: FloatArray) -> Rows:
    """Return the synapses of a projection that aren't 0, with their numbers in place of delays.

    weights: weights as transmitted. gain: gain of each postsynaptic neuron, see
    `neurorl.pynn.pulses.CellParameters`.
    """
    pre, post = network.ends(p.name)
    values = np.asarray(weights, dtype=np.float64).ravel() * gain[post]
    there = np.ones(len(pre), bool) if p.mask is None else np.asarray(p.mask).ravel()
    numbers = np.flatnonzero(there & (values != 0))
    return Rows(pre[numbers], post[numbers], values[numbers], numbers)


def connect(module: PynnObject, pre: PynnObject, post: PynnObject, rows: Rows, fine: float) -> None:
    """Connect two populations by a list: presynaptic, postsynaptic, weight, delay.

    fine: ms of a substep.
    """
    delays = np.round(rows.steps * fine, 9)
    for receptor, sign in (("excitatory", rows.weights > 0), ("inhibitory", rows.weights < 0)):
        if sign.any():
            columns = (rows.pre[sign], rows.post[sign], rows.weights[sign], delays[sign])
            make_projection(module, (pre, post), *columns, receptor)
