"""Build descriptions in PyNN's simulators, and run them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.network.description import Network
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.pynn import wiring
from neurorl.pynn.building import Building, PlainBuilding, PulsedBuilding, Rasters, rasters_of
from neurorl.pynn.pulses import begins_with_a_spike
from neurorl.pynn.wiring import TARGETS, PynnObject, PyNNTarget, target_name
from neurorl.storage.plain import Named


@dataclass(frozen=True)
class PyNNExport:
    """Hold a network in a simulator of PyNN.

    simulator: PyNN's module. populations: PyNN's populations, by name of population or source.
    replicas: how many unconnected copies of the network there are. lags: by how many steps spikes
    of a population come later in PyNN; `run` subtracts them. most: limit of steps; None without
    noise.
    """

    simulator: PynnObject
    populations: Named
    network: Network
    replicas: int = 1
    lags: Mapping[str, int] = field(default_factory=dict)
    most: int | None = None

    def run(self, n_steps: int) -> Rasters:
        """Simulate, and return the spikes of each population, ``(n_steps, replicas * size)``."""
        n_steps = positive("Exported.run", n_steps)
        if self.most is not None and n_steps > self.most:
            remedy = "give to_pynn as many steps of inputs"
            what, limit = "no noise for so many steps", self.most
            raise ArgumentError("Exported.run", what, got=n_steps, limit=limit, remedy=remedy)
        ms = self.network.dt * 1e3
        first = TARGETS[target_name(self.simulator)].first
        self.simulator.run((n_steps + first + max(self.lags.values(), default=0) + 1) * ms)
        begin = {p.name: first + self.lags.get(p.name, 0) for p in self.network.populations}
        return rasters_of(self.network, self.populations, n_steps, begin)


def problems(network: Network, target: str) -> list[str]:
    """Return why *target* can't hold a network, one line for each part; empty if it can."""
    check_name("target of PyNN", target, TARGETS)
    can = TARGETS[target]
    found = [f"source {x!r} of {kind} (take spikes)" for x, kind in network.analog.items()]
    for population in network.populations:
        where = f"population {population.name!r}"
        if not population.is_integrator(network.dt):
            found.append(f"{where} of neurons by equations (limit LIF, CubaLIF)")
            continue
        dead = population.integrator(network.dt).refractory_steps
        if can.one_refractory and len(np.unique(dead)) > 1:
            found.append(f"{where} with several refractory periods (limit one)")
    if not found and not can.has_pulses:
        found = _without_pulses(network, can)
    for p in network.projections:
        if p.more_than_weights:
            found.append(f"projection {p.name!r} with {p.more_than_weights} (leave it out)")
    return found


def _without_pulses(network: Network, can: PyNNTarget) -> list[str]:
    """Return which parts a simulator can't hold in the description's own steps."""
    found, lags = [], wiring.lags_of(network, can)
    for population in network.populations:
        where = f"population {population.name!r}"
        d = population.integrator(network.dt)
        if d.noise_width.any():
            found.append(f"{where} with escape noise (limit noise=0)")
        if not d.membrane_decay.all():
            found.append(f"{where} without a membrane's memory (limit tau_mem > 0)")
        elif begins_with_a_spike(d, can.begun + lags[population.name]):
            found.append(f"{where} with a bias so low that it would begin with a spike")
    signed = [p.name for p in network.projections if p.signed]
    return found + [f"projection {name!r}, signed (take an unsigned one)" for name in signed]


def to_pynn(
    network: Network,
    simulator: PynnObject,
    inputs: Mapping[str, npt.ArrayLike],
    *,
    seed: int = 0,
    weights: Mapping[str, npt.ArrayLike] | None = None,
    replicas: int = 1,
    begins: Sequence[int] | None = None,
    exact: bool = True,
) -> PyNNExport:
    """Build a description in a simulator of PyNN, such as ``pyNN.nest``, and record all spikes.

    simulator: the module; its `setup` is called here. inputs: by source,
    ``(steps, replicas * size)``. seed, weights: as in `neurorl.load`; weights stay as they are.
    replicas: copies of the whole network, side by side and unconnected, each with its own inputs.

    Noise, and loops of one step, need pulses, for as many steps as the inputs have; see
    docs/pynn.md. begins: the number of each replica's first step, by which noise is drawn; 0 by
    default. exact: False plays loops of one step without pulses, as `as_held` says.

    Raises UnsupportedError naming every part that the simulator can't hold.
    """
    target = target_name(simulator)
    found = problems(network, target)
    if found:
        raise UnsupportedError(f"PyNN's {target}", "can't hold this", got="; ".join(found))
    with load("reference", network, seed=seed, weights=weights) as backend:
        held = {p.name: backend.weights(p.name) for p in network.projections}
    given = _checked(network, inputs, replicas)
    begun = [0] * replicas if begins is None else [int(begin) for begin in begins]
    if len(begun) != replicas:
        where, what = "to_pynn: begins", "not one for each replica"
        raise ArgumentError(where, what, got=len(begun), limit=replicas)
    can = TARGETS[target]
    needs = _without_pulses(network, can) or (exact and wiring.has_short_loops(network, can))
    is_pulsed = can.has_pulses and bool(needs)
    kind: type[Building] = PulsedBuilding if is_pulsed else PlainBuilding
    building = kind(network, simulator, can, held, seed, begun)
    n_steps = max((len(raster) for raster in given.values()), default=1)
    building.build(given, np.arange(n_steps), n_steps)
    most = n_steps if is_pulsed else None
    return PyNNExport(simulator, building.populations, network, replicas, building.lags, most)


def _checked(
    network: Network, inputs: Mapping[str, npt.ArrayLike], replicas: int
) -> dict[str, BoolArray]:
    """Return the spikes of every source."""
    given = {}
    for source in network.sources:
        size = replicas * source.size
        raster = np.asarray(inputs.get(source.name, np.zeros((1, size))), dtype=bool)
        if raster.ndim != 2 or raster.shape[1] != size:
            where, limit = f"to_pynn: inputs[{source.name!r}]", f"(steps, {size})"
            raise ArgumentError(where, "wrong shape", got=raster.shape, limit=limit)
        given[source.name] = raster
    return given


class Windows:
    """Hold a network in a simulator of PyNN that plays *n_windows* windows, each from silence.

    weights: weights in force by projection. begins: the number of each replica's first step; noise
    is drawn by these numbers, which have no gap between windows. For other arguments see
    `neurorl.pynn.to_pynn`; inputs of a window needn't be known before.

    Raises UnsupportedError naming every part that the simulator can't hold.
    """

    def __init__(
        self,
        network: Network,
        simulator: PynnObject,
        n_steps: int,
        n_windows: int,
        weights: Mapping[str, FloatArray],
        seed: int,
        begins: Sequence[int],
    ) -> None:
        target = target_name(simulator)
        found = problems(network, target)
        if found or not TARGETS[target].has_pulses:
            got = "; ".join(found) or "windows need pulses of current"
            raise UnsupportedError(f"PyNN's {target}", "can't hold this", got=got)
        self.n_steps, self.n_windows, self.begins = n_steps, n_windows, tuple(begins)
        self.played = 0
        self._made = PulsedBuilding(network, simulator, TARGETS[target], weights, seed, begins)
        self._period = n_steps + _gap(network, self._made, n_steps)
        windows = np.arange(n_windows)[:, None] * self._period
        sizes = {source.name: source.size for source in self._made.network.sources}
        silence = {name: np.zeros((1, size), dtype=bool) for name, size in sizes.items()}
        self._made.build(silence, (windows + np.arange(n_steps)).ravel(), n_steps)

    def play(self, inputs: Mapping[str, BoolArray]) -> Rasters:
        """Play the next window; return the spikes of each population.

        inputs: rasters ``(n_steps, replicas * size)`` by source; the result has the same shape.
        """
        made, network = self._made, self._made.network
        start = self.played * self._period
        for source in network.sources:
            raster = np.asarray(inputs[source.name], dtype=bool)
            trains = [(start + np.flatnonzero(row) + 2) * made.ms for row in raster.T]
            made.populations[source.name].set(spike_times=wiring.spike_times(trains, made.can))
        for population in network.populations:
            made.populations[population.name].initialize(v=0.0)
        made.simulator.run(self._period * made.ms)
        self.played += 1
        first = dict.fromkeys(made.populations, start + made.can.first)
        return rasters_of(network, made.populations, self.n_steps, first)


def _gap(network: Network, made: PulsedBuilding, n_steps: int) -> int:
    """Return after how many steps without input no spike or current is left."""
    dead = (p.integrator(network.dt).refractory_steps.max(initial=0) for p in network.populations)
    return made.can.first + made.longest(n_steps) + int(max(dead, default=0))
