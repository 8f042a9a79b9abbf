"""Make PyNN's spike sources and projections.

All synapses of a projection are made at once, as PyNN's own `FromListConnector` takes milliseconds
for each postsynaptic cell. The methods of its simulators used here are private;
tests/pynn/test_pynn.py reads the results by public ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import FloatArray
from neurorl.pynn.lags import PyNNTarget, ends_of

Ints = npt.NDArray[np.int64]


def make_projection(
    simulator: Any,
    ends: tuple[Any, Any],
    pre: Ints,
    post: Ints,
    weights: FloatArray,
    delays: FloatArray,
    receptor: str,
) -> Any:
    """Return a projection of these synapses; weights in nA, all of one sign, delays in ms."""
    module = str(getattr(simulator, "__name__", ""))
    fill = _FILL.get(module)
    if fill is None:
        columns = (pre, post, weights, delays)
        listed = list(zip(*(column.tolist() for column in columns), strict=True))
        connector = simulator.FromListConnector(listed, column_names=["weight", "delay"])
    else:
        connector = simulator.FromListConnector([])
    made = simulator.Projection(
        *ends, connector, synapse_type=simulator.StaticSynapse(), receptor_type=receptor
    )
    if fill is not None:
        fill(made, pre, post, weights, delays)
    return made


def _fill_nest(made: Any, pre: Ints, post: Ints, weights: FloatArray, delays: FloatArray) -> None:
    nest: Any = importlib.import_module("nest")
    ids = [np.asarray(end.all_cells, dtype=np.int64) for end in (made.pre, made.post)]
    nest.Connect(
        ids[0][pre],
        ids[1][post],
        "one_to_one",
        {
            "synapse_model": made.nest_synapse_model,
            "synapse_label": made.nest_synapse_label,
            "weight": weights * 1e3,  # pA
            "delay": delays,
        },
    )
    made._sources.update(ids[0][np.unique(pre)].tolist())
    made._simulator.state.stale_connection_cache = True


def _fill_brian2(made: Any, pre: Ints, post: Ints, weights: FloatArray, delays: FloatArray) -> None:
    brian2: Any = importlib.import_module("brian2")
    synapses = made._brian2_synapses[0][0]
    synapses.connect(i=pre, j=post)
    synapses.weight = weights * brian2.nA
    synapses.delay = delays * brian2.ms
    made._n_connections += len(pre)


_FILL: Mapping[str, Callable[..., None]] = {
    "pyNN.nest": _fill_nest,
    "pyNN.brian2": _fill_brian2,
}


_EARLY = 1e-9
"""Let a source spike so long before the end of its step, ms."""


class Rows(NamedTuple):
    """Hold synapses: presynaptic and postsynaptic neurons, weights in nA, delays in substeps."""

    pre: npt.NDArray[np.int64]
    post: npt.NDArray[np.int64]
    weights: FloatArray
    steps: npt.NDArray[np.int64]


def spike_sources(
    simulator: Any, trains: Sequence[npt.NDArray[np.floating[Any]]], label: str, can: PyNNTarget
) -> Any:
    """Return a population that spikes at these times, in ms, a train for each cell."""
    times = spike_times(trains, can)
    cell = simulator.SpikeSourceArray(spike_times=times)
    return simulator.Population(len(times), cell, label=label)


def spike_times(trains: Sequence[npt.NDArray[np.floating[Any]]], can: PyNNTarget) -> list[Any]:
    """Return trains, in ms, in the simulator's form."""
    # NEST rounds a time up to the end of its step, after PyNN has subtracted a delay
    times: list[Any] = [(np.round(train, 9) - _EARLY).tolist() for train in trains]
    times += [[]] * (can.least - len(times))
    sequence: Any = importlib.import_module("pyNN.parameters").Sequence
    return times if can.takes_lists else [sequence(train) for train in times]


def synapses(network: Network, p: Projection, weights: FloatArray, gain: FloatArray) -> Rows:
    """Return the synapses of a projection that aren't 0, with their numbers in place of delays.

    weights: weights as transmitted. gain: gain of each postsynaptic neuron, see
    `neurorl.pynn.pulses.CellParameters`.
    """
    pre, post = ends_of(network, p)
    values = np.asarray(weights, dtype=np.float64).ravel() * gain[post]
    there = np.ones(len(pre), bool) if p.mask is None else np.asarray(p.mask).ravel()
    numbers = np.flatnonzero(there & (values != 0))
    return Rows(pre[numbers], post[numbers], values[numbers], numbers)


def repeated(rows: Rows, sizes: tuple[int, int], replicas: int) -> Rows:
    """Return the synapses of so many networks side by side."""
    copies = np.repeat(np.arange(replicas), len(rows.pre))
    return Rows(
        np.tile(rows.pre, replicas) + copies * sizes[0],
        np.tile(rows.post, replicas) + copies * sizes[1],
        np.tile(rows.weights, replicas),
        np.tile(rows.steps, replicas),
    )


def connect(simulator: Any, pre: Any, post: Any, rows: Rows, fine: float) -> None:
    """Connect two populations by a list: presynaptic, postsynaptic, weight, delay.

    fine: ms of a substep.
    """
    delays = np.round(rows.steps * fine, 9)
    for receptor, sign in (("excitatory", rows.weights > 0), ("inhibitory", rows.weights < 0)):
        if sign.any():
            columns = (rows.pre[sign], rows.post[sign], rows.weights[sign], delays[sign])
            make_projection(simulator, (pre, post), *columns, receptor)
