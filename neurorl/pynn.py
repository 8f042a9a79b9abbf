"""Play networks on PyNN's simulators; see docs/pynn.md. Needs ``pip install 'neurorl[pynn]'``.

PyNN's cells are equations in mV, ms, nA and nF. With a membrane unit of 1 mV and a capacitance of
1 nF, weights and biases are chosen so that a spike, or a step of bias, changes a membrane as in the
description: a simulator that integrates exactly, such as NEST, has the description's membranes.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.network.description import Network, Population, Projection
from neurorl.network.serialization import FloatArray, positive

__all__ = ["TARGETS", "Exported", "problems", "to_pynn"]

Rasters = dict[str, npt.NDArray[np.bool_]]


class Target(NamedTuple):
    """Describe how one of PyNN's simulators steps; all in steps.

    late: by how much a current of a neuron acts later than it arrives; taken from longer delays.
    first: PyNN's step in which spikes of the description's first are written down.
    begun: how many steps before the description's first the simulator begins.
    dead: what it counts to a refractory period besides.
    options: of its `setup`. clock: the module whose default clock is set, too.
    takes_lists: whether times of spikes are lists, not PyNN's sequences.
    """

    late: int
    first: int
    begun: int
    dead: int
    options: Mapping[str, Any] = MappingProxyType({})
    clock: str = ""
    takes_lists: bool = False


TARGETS: Mapping[str, Target] = {
    "nest": Target(late=1, first=4, begun=3, dead=0, options={"spike_precision": "on_grid"}),
    "brian2": Target(late=1, first=4, begun=4, dead=1, clock="brian2"),
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
    """

    simulator: Any
    populations: Mapping[str, Any]
    network: Network

    def run(self, n_steps: int) -> Rasters:
        """Simulate, and return the spikes of each population, ``(n_steps, size)``."""
        n_steps = positive("Exported.run", n_steps)
        ms = self.network.dt * 1e3
        first = TARGETS[_name(self.simulator)].first
        self.simulator.run((n_steps + first + 1) * ms)
        rasters = {}
        for population in self.network.populations:
            block = self.populations[population.name].get_data("spikes")
            raster = np.zeros((n_steps, population.size), dtype=bool)
            for i, train in enumerate(block.segments[-1].spiketrains):
                steps = np.rint(np.asarray(train.magnitude) / ms).astype(int) - first
                raster[steps[(steps >= 0) & (steps < n_steps)], i] = True
            rasters[population.name] = raster
        return rasters


def problems(network: Network, target: str) -> list[str]:
    """Return why *target* can't hold a network, one line for each part; empty if it can."""
    check_name("target of PyNN", target, TARGETS)
    found = [f"source {name!r} of currents (take spikes)" for name in sorted(network.currents)]
    for population in network.populations:
        where = f"population {population.name!r}"
        if population.plan(network.dt) is not None:
            found.append(f"{where} of neurons by equations (limit LIF, CubaLIF)")
            continue
        d = population.neuron.dynamics(population.size, network.dt)
        if d.noise_width.any():
            found.append(f"{where} with escape noise (limit noise=0)")
        if not d.membrane_decay.all():
            found.append(f"{where} without a membrane's memory (limit tau_mem > 0)")
    for p in network.projections:
        where = f"projection {p.name!r}"
        if p.short_term is not None:
            found.append(f"{where} with short-term plasticity (leave it out)")
        if p.signed:
            found.append(f"{where}, signed (take an unsigned one)")
    return found


def to_pynn(
    network: Network,
    simulator: Any,
    inputs: Mapping[str, npt.ArrayLike],
    *,
    seed: int = 0,
    weights: Mapping[str, npt.ArrayLike] | None = None,
) -> Exported:
    """Build a description in a simulator of PyNN, such as ``pyNN.nest``, and record all spikes.

    simulator: the module; its `setup` is called here. inputs: by source, ``(steps, size)``.
    seed, weights: as of `neurorl.load`; weights stay as they are.

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
    populations: dict[str, Any] = {}
    for source in network.sources:
        raster = np.asarray(inputs.get(source.name, np.zeros((1, source.size))), dtype=bool)
        if raster.ndim != 2 or raster.shape[1] != source.size:
            where, limit = f"to_pynn: inputs[{source.name!r}]", f"(steps, {source.size})"
            raise ArgumentError(where, "wrong shape", got=raster.shape, limit=limit)
        populations[source.name] = _spikes(simulator, raster, ms, source.name, can)
    gains = {}
    for population in network.populations:
        made, gains[population.name] = _cells(simulator, population, network.dt, can)
        populations[population.name] = made
        made.record("spikes")
    for p in network.projections:
        _connect(simulator, network, p, held[p.name], gains[p.post], populations, can)
    return Exported(simulator, populations, network)


def _name(simulator: Any) -> str:
    module = str(getattr(simulator, "__name__", simulator))
    name = "spiNNaker" if module == "spynnaker.pyNN" else module.rpartition(".")[2]
    check_name("simulator of PyNN", name, TARGETS)
    return name


def _spikes(
    simulator: Any, raster: npt.NDArray[np.bool_], ms: float, label: str, can: Target
) -> Any:
    """Return a population that spikes at the ends of the steps of *raster*."""
    times = [((np.flatnonzero(row) + 2) * ms).tolist() for row in raster.T]
    sequence: Any = importlib.import_module("pyNN.parameters").Sequence
    trains = times if can.takes_lists else [sequence(train) for train in times]
    cell = simulator.SpikeSourceArray(spike_times=trains)
    return simulator.Population(raster.shape[1], cell, label=label)


def _cells(
    simulator: Any, population: Population, dt: float, can: Target
) -> tuple[Any, FloatArray]:
    """Return PyNN's cells, and what weights of the description are times there."""
    d, ms = population.neuron.dynamics(population.size, dt), dt * 1e3
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
        tau_refrac=(d.refractory_steps + can.dead * (d.refractory_steps > 0)) * ms,
        tau_syn_E=tau_s,
        tau_syn_I=tau_s,
    )
    made = simulator.Population(population.size, cells, label=population.name)
    kept = d.membrane_decay**can.begun
    made.initialize(v=-d.bias * (1 - kept) / (1 - d.membrane_decay) / kept)  # 0 at the first step
    return made, 1 / _added(tau_s, tau_m, ms)


def _added(tau_s: FloatArray, tau_m: FloatArray, ms: float) -> FloatArray:
    """Return the integral of ``exp(-(ms - t)/tau_m) exp(-t/tau_s)`` over a step, in ms."""
    rate = 1 / tau_m - 1 / tau_s
    flat = np.abs(rate) < 1e-9
    safe = np.where(flat, 1.0, rate)
    whole = np.where(flat, ms, np.expm1(safe * ms) / safe)
    return np.asarray(np.exp(-ms / tau_m) * whole)


def _connect(
    simulator: Any,
    network: Network,
    p: Projection,
    weights: FloatArray,
    gain: FloatArray,
    populations: Mapping[str, Any],
    can: Target,
) -> None:
    """Connect two populations by a list: presynaptic, postsynaptic, weight, delay in ms."""
    pre, post = _ends(network, p)
    delays = network.synapse_delays(p.name)
    steps = np.full(len(pre), network.delay_steps(p.name)) if delays is None else delays
    values = np.asarray(weights, dtype=np.float64).ravel() * gain[post]
    there = np.ones(len(pre), bool) if p.mask is None else np.asarray(p.mask).ravel()
    there &= values != 0
    is_source = p.pre in {source.name for source in network.sources}
    steps = steps + 1 if is_source else np.maximum(steps - can.late, 1)
    for receptor, sign in (("excitatory", values > 0), ("inhibitory", values < 0)):
        chosen = np.flatnonzero(there & sign)
        if len(chosen):
            rows = zip(
                pre[chosen].tolist(),
                post[chosen].tolist(),
                values[chosen].tolist(),
                (steps[chosen] * network.dt * 1e3).tolist(),
                strict=True,
            )
            simulator.Projection(
                populations[p.pre],
                populations[p.post],
                simulator.FromListConnector(list(rows), column_names=["weight", "delay"]),
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
