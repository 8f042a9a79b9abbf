"""Play networks on PyNN's simulators; see docs/pynn.md. Needs ``pip install 'neurorl[pynn]'``.

PyNN's cells are equations in mV, ms, nA and nF. With a membrane unit of 1 mV and a capacitance of
1 nF, weights and biases are chosen so that a spike, or a step of bias, changes a membrane as in the
description: a simulator that integrates exactly, such as NEST, has the description's membranes.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.network.description import Network, Population, Projection
from neurorl.network.neuron import Dynamics
from neurorl.network.serialization import FloatArray, positive

__all__ = ["TARGETS", "Exported", "as_held", "problems", "to_pynn"]

Rasters = dict[str, npt.NDArray[np.bool_]]


class Target(NamedTuple):
    """Describe how one of PyNN's simulators steps; all in steps.

    late: by how much a current of a neuron acts later than it arrives; taken from delays.
    first: PyNN's step in which spikes of the description's first are written down.
    begun: how many steps before the description's first the simulator begins.
    dead: what it counts to a refractory period besides.
    options: of its `setup`. clock: the module whose default clock is set, too.
    least: how many spike sources a population has at least; the others are silent.
    takes_lists: whether times of spikes are lists, not PyNN's sequences.
    """

    late: int
    first: int
    begun: int
    dead: int
    options: Mapping[str, Any] = MappingProxyType({})
    clock: str = ""
    takes_lists: bool = False
    least: int = 1


TARGETS: Mapping[str, Target] = {
    "nest": Target(late=1, first=4, begun=3, dead=0, options={"spike_precision": "on_grid"}),
    "brian2": Target(late=1, first=4, begun=4, dead=1, clock="brian2", least=2),
    "spiNNaker": Target(late=0, first=3, begun=3, dead=0, takes_lists=True),
}
"""Hold PyNN's simulators, by the last part of their module's name; ``spynnaker.pyNN`` is spiNNaker.

That one was built and mapped, on its virtual board, and has never been run: its steps are those
that its documentation lets expect.
"""

_SHORTEST = 1e-2  # steps: of a current that acts for one step


@dataclass(frozen=True)
class Exported:
    """Hold a network in a simulator of PyNN.

    simulator: PyNN's module. populations: by name of a population or source, PyNN's.
    replicas: how many copies of the network there are, unconnected. lags: by how many steps
    spikes of a population come later there; `run` takes them off.
    """

    simulator: Any
    populations: Mapping[str, Any]
    network: Network
    replicas: int = 1
    lags: Mapping[str, int] = field(default_factory=dict)

    def run(self, n_steps: int) -> Rasters:
        """Simulate, and return the spikes of each population, ``(n_steps, replicas * size)``."""
        n_steps = positive("Exported.run", n_steps)
        ms = self.network.dt * 1e3
        first = TARGETS[_name(self.simulator)].first
        self.simulator.run((n_steps + first + max(self.lags.values(), default=0) + 1) * ms)
        rasters = {}
        for population in self.network.populations:
            block = self.populations[population.name].get_data("spikes")
            raster = np.zeros((n_steps, self.replicas * population.size), dtype=bool)
            begin = first + self.lags.get(population.name, 0)
            for i, train in enumerate(block.segments[-1].spiketrains):
                steps = np.rint(np.asarray(train.magnitude) / ms).astype(int) - begin
                raster[steps[(steps >= 0) & (steps < n_steps)], i] = True
            rasters[population.name] = raster
        return rasters


def problems(network: Network, target: str) -> list[str]:
    """Return why *target* can't hold a network, one line for each part; empty if it can."""
    check_name("target of PyNN", target, TARGETS)
    found = [f"source {name!r} of currents (take spikes)" for name in sorted(network.currents)]
    lags = _lags(network, TARGETS[target])
    for population in network.populations:
        begun = TARGETS[target].begun + lags[population.name]
        where = f"population {population.name!r}"
        if population.plan(network.dt) is not None:
            found.append(f"{where} of neurons by equations (limit LIF, CubaLIF)")
            continue
        d = population.neuron.dynamics(population.size, network.dt)
        if d.noise_width.any():
            found.append(f"{where} with escape noise (limit noise=0)")
        if not d.membrane_decay.all():
            found.append(f"{where} without a membrane's memory (limit tau_mem > 0)")
        elif (_initial(d, begun) * d.membrane_decay + d.bias > d.threshold).any():
            found.append(f"{where} with a bias so low that it would begin with a spike")
    for p in network.projections:
        where = f"projection {p.name!r}"
        if p.short_term is not None:
            found.append(f"{where} with short-term plasticity (leave it out)")
        if p.signed:
            found.append(f"{where}, signed (take an unsigned one)")
    return found


def as_held(network: Network, target: str) -> Network:
    """Return the description whose spikes a target has: *network*, with delays that it can hold.

    They are those of *network* but where populations lead back to themselves within delays so
    short that a current which acts a step late can't be made up for.
    """
    check_name("target of PyNN", target, TARGETS)
    can, lags = TARGETS[target], _lags(network, TARGETS[target])
    projections = []
    for p in network.projections:
        if p.pre not in _source_names(network):
            steps = _steps_there(network, p, lags, can) + can.late - lags[p.post] + lags[p.pre]
            p = _delayed(network, p, steps)
        projections.append(p)
    return replace(network, projections=tuple(projections))


def to_pynn(
    network: Network,
    simulator: Any,
    inputs: Mapping[str, npt.ArrayLike],
    *,
    seed: int = 0,
    weights: Mapping[str, npt.ArrayLike] | None = None,
    replicas: int = 1,
) -> Exported:
    """Build a description in a simulator of PyNN, such as ``pyNN.nest``, and record all spikes.

    simulator: the module; its `setup` is called here. inputs: by source,
    ``(steps, replicas * size)``. seed, weights: as of `neurorl.load`; weights stay as they are.
    replicas: of the whole network, side by side and unconnected, each with inputs of its own.

    Raises UnsupportedError naming every part that it can't hold.
    """
    target = _name(simulator)
    found = problems(network, target)
    if found:
        raise UnsupportedError(f"PyNN's {target}", "can't hold this", got="; ".join(found))
    with load("reference", network, seed=seed, weights=weights) as backend:
        held = {p.name: backend.weights(p.name) for p in network.projections}
    ms, can = network.dt * 1e3, TARGETS[target]
    simulator.setup(timestep=ms, min_delay=ms, **can.options)
    if can.clock:  # which PyNN leaves to the spike sources' default
        brian2: Any = importlib.import_module(can.clock)
        brian2.defaultclock.dt = network.dt * brian2.second
    lags = _lags(network, can)
    populations: dict[str, Any] = {}
    for source in network.sources:
        size = replicas * source.size
        raster = np.asarray(inputs.get(source.name, np.zeros((1, size))), dtype=bool)
        if raster.ndim != 2 or raster.shape[1] != size:
            where, limit = f"to_pynn: inputs[{source.name!r}]", f"(steps, {size})"
            raise ArgumentError(where, "wrong shape", got=raster.shape, limit=limit)
        populations[source.name] = _spikes(simulator, raster, ms, source.name, can)
    gains = {}
    for population in network.populations:
        begun = can.begun + lags[population.name]
        cells = _cells(simulator, population, network.dt, begun, can.dead, replicas)
        made, gains[population.name] = cells
        populations[population.name] = made
        made.record("spikes")
    for p in network.projections:
        steps = _steps_there(network, p, lags, can)
        rows = _synapses(network, p, held[p.name], gains[p.post], steps)
        ends = populations[p.pre], populations[p.post]
        sizes = network.node(p.pre).size, network.node(p.post).size
        _connect(simulator, *ends, _repeated(rows, sizes, replicas), ms)
    return Exported(simulator, populations, network, replicas, lags)


def _name(simulator: Any) -> str:
    module = str(getattr(simulator, "__name__", simulator))
    name = "spiNNaker" if module == "spynnaker.pyNN" else module.rpartition(".")[2]
    check_name("simulator of PyNN", name, TARGETS)
    return name


def _spikes(
    simulator: Any, raster: npt.NDArray[np.bool_], ms: float, label: str, can: Target
) -> Any:
    """Return a population that spikes at the ends of the steps of *raster*."""
    raster = np.pad(raster, ((0, 0), (0, max(can.least - raster.shape[1], 0))))
    times = [((np.flatnonzero(row) + 2) * ms).tolist() for row in raster.T]
    sequence: Any = importlib.import_module("pyNN.parameters").Sequence
    trains = times if can.takes_lists else [sequence(train) for train in times]
    cell = simulator.SpikeSourceArray(spike_times=trains)
    return simulator.Population(raster.shape[1], cell, label=label)


def _cells(
    simulator: Any, population: Population, dt: float, begun: int, dead: int, replicas: int
) -> tuple[Any, FloatArray]:
    """Return PyNN's cells, and what weights of the description are times there.

    begun: how many steps before the population's first the simulator begins. dead: as of `Target`.
    """
    d, ms = _tiled(population.neuron.dynamics(population.size, dt), replicas), dt * 1e3
    tau_m = -ms / np.log(d.membrane_decay)
    tau_s = -ms / np.log(np.maximum(d.current_decay, np.exp(-1 / _SHORTEST)))
    cells = simulator.IF_curr_exp(
        tau_m=tau_m,
        cm=1.0,
        v_rest=0.0,
        v_reset=0.0,
        v_thresh=d.threshold,
        # a current that stays for a step adds this much of itself to the membrane
        i_offset=d.bias / (tau_m * (1 - d.membrane_decay)),
        tau_refrac=(d.refractory_steps + dead * (d.refractory_steps > 0)) * ms,
        tau_syn_E=tau_s,
        tau_syn_I=tau_s,
    )
    made = simulator.Population(replicas * population.size, cells, label=population.name)
    made.initialize(v=_initial(d, begun))
    return made, 1 / _added(tau_s, tau_m, ms)[: population.size]


def _initial(d: Dynamics, begun: int) -> FloatArray:
    """Return membranes from which biases come to 0 after so many steps."""
    kept = d.membrane_decay**begun
    return np.asarray(-d.bias * (1 - kept) / (1 - d.membrane_decay) / kept)


def _tiled(dynamics: Dynamics, replicas: int) -> Dynamics:
    """Return the constants of so many populations side by side."""
    arrays = {f.name: np.tile(getattr(dynamics, f.name), replicas) for f in fields(dynamics)}
    return Dynamics(**arrays)


def _added(tau_s: FloatArray, tau_m: FloatArray, ms: float) -> FloatArray:
    """Return the integral of ``exp(-(ms - t)/tau_m) exp(-t/tau_s)`` over a step, in ms."""
    rate = 1 / tau_m - 1 / tau_s
    flat = np.abs(rate) < 1e-9
    safe = np.where(flat, 1.0, rate)
    whole = np.where(flat, ms, np.expm1(safe * ms) / safe)
    return np.asarray(np.exp(-ms / tau_m) * whole)


class Rows(NamedTuple):
    """Hold synapses: presynaptic and postsynaptic neurons, weights in nA, delays in steps."""

    pre: npt.NDArray[np.int64]
    post: npt.NDArray[np.int64]
    weights: FloatArray
    steps: npt.NDArray[np.int64]


def _delayed(network: Network, p: Projection, steps: npt.NDArray[np.int64]) -> Projection:
    """Return a projection with these delays, itself if it has them."""
    described = network.synapse_delays(p.name)
    if described is not None:
        return p if np.array_equal(steps, described) else replace(p, delay=steps * network.dt)
    if not len(steps) or steps[0] == network.delay_steps(p.name):
        return p
    return replace(p, delay=float(steps[0] * network.dt))


def _source_names(network: Network) -> set[str]:
    return {source.name for source in network.sources}


def _shortest(network: Network, p: Projection) -> int:
    """Return the shortest delay of a projection, in steps."""
    delays = network.synapse_delays(p.name)
    if delays is None:
        return network.delay_steps(p.name)
    return int(delays.min(initial=network.delay_steps(p.name)))


def _lags(network: Network, can: Target) -> dict[str, int]:
    """Return by how many steps each node has to spike later there, so that delays can be kept.

    A delay there is that of the description, less what a current acts later, with the difference
    of the lags of its ends; at least one step.
    """
    sources = _source_names(network)
    least = [
        (p.pre, p.post, can.late + 1 - _shortest(network, p))
        for p in network.projections
        if p.pre not in sources
    ]
    found = _longest(network, least)
    if found is None:  # loops so short: what lies in them can't wait for itself
        found = _longest(
            network, [(a, b, n) for a, b, n in least if n <= 0 or network.steps(b, a) is None]
        )
    assert found is not None
    return found


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


def _steps_there(
    network: Network, p: Projection, lags: Mapping[str, int], can: Target
) -> npt.NDArray[np.int64]:
    """Return the delay of each synapse there, in steps."""
    delays = network.synapse_delays(p.name)
    n = len(_ends(network, p)[0])
    steps = np.full(n, network.delay_steps(p.name)) if delays is None else np.asarray(delays)
    if p.pre in _source_names(network):
        return np.asarray(steps + 1 + lags[p.post], dtype=np.int64)
    there = steps + lags[p.post] - lags[p.pre] - can.late
    return np.asarray(np.maximum(there, 1), dtype=np.int64)


def _synapses(
    network: Network,
    p: Projection,
    weights: FloatArray,
    gain: FloatArray,
    steps: npt.NDArray[np.int64],
) -> Rows:
    """Return the synapses of a projection that aren't 0."""
    pre, post = _ends(network, p)
    values = np.asarray(weights, dtype=np.float64).ravel() * gain[post]
    there = np.ones(len(pre), bool) if p.mask is None else np.asarray(p.mask).ravel()
    there = there & (values != 0)
    return Rows(pre[there], post[there], values[there], steps[there])


def _repeated(rows: Rows, sizes: tuple[int, int], replicas: int) -> Rows:
    """Return the synapses of so many networks side by side."""
    copies = np.repeat(np.arange(replicas), len(rows.pre))
    return Rows(
        np.tile(rows.pre, replicas) + copies * sizes[0],
        np.tile(rows.post, replicas) + copies * sizes[1],
        np.tile(rows.weights, replicas),
        np.tile(rows.steps, replicas),
    )


def _connect(simulator: Any, pre: Any, post: Any, rows: Rows, ms: float) -> None:
    """Connect two populations by a list: presynaptic, postsynaptic, weight, delay in ms."""
    for receptor, sign in (("excitatory", rows.weights > 0), ("inhibitory", rows.weights < 0)):
        if not sign.any():
            continue
        columns = (rows.pre, rows.post, rows.weights, rows.steps * ms)
        listed = list(zip(*(column[sign].tolist() for column in columns), strict=True))
        simulator.Projection(
            pre,
            post,
            simulator.FromListConnector(listed, column_names=["weight", "delay"]),
            synapse_type=simulator.StaticSynapse(),
            receptor_type=receptor,
        )


def _ends(network: Network, p: Projection) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the presynaptic and postsynaptic neuron of each weight of a projection."""
    synapses = network.synapses(p.name)
    if synapses is not None:
        return np.asarray(synapses.pre), np.asarray(synapses.post)
    rows, columns = (network.node(end).size // p.blocks for end in (p.pre, p.post))
    block, row, column = np.indices((p.blocks, rows, columns)).reshape(3, -1)
    return block * rows + row, block * columns + column
