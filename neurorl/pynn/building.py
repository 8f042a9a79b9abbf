"""Build a network in a simulator of PyNN, part by part."""

from __future__ import annotations

import abc
import importlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.replicate import replicate
from neurorl.numerics.arrays import BoolArray, FloatArray, IntArray
from neurorl.pynn import pulses, wiring
from neurorl.pynn.pulses import SUBSTEPS, CellParameters
from neurorl.pynn.wiring import PynnObject, PyNNTarget, Rows
from neurorl.storage.plain import Named, PlainData

Rasters = dict[str, BoolArray]


class Building(abc.ABC):
    """Build replicas of a network part by part: sources, populations, projections.

    network: of one replica, then of all. weights: weights in force by projection. begins: as in
    `neurorl.pynn.to_pynn`, one for each replica. lags: by how many steps each node spikes later in
    PyNN.
    """

    substeps: ClassVar[int]
    lags: Mapping[str, int]

    def __init__(
        self,
        network: Network,
        simulator: PynnObject,
        can: PyNNTarget,
        weights: Mapping[str, FloatArray],
        seed: int,
        begins: Sequence[int],
    ) -> None:
        self.network, self.simulator, self.can = replicate(network, len(begins)), simulator, can
        self.weights = {name: np.tile(np.ravel(w), len(begins)) for name, w in weights.items()}
        self.seed, self.begins = seed, begins
        self.ms = network.dt * 1e3
        self.fine = self.ms / self.substeps
        self.populations: PlainData = {}
        self._gains: dict[str, FloatArray] = {}

    def build(self, inputs: Mapping[str, BoolArray], steps: IntArray, n_steps: int) -> None:
        """Build the whole network.

        steps: steps in which it can spike. n_steps: how many steps follow each other.
        """
        options = dict(self.can.options)
        if self.can.needs_longest:
            options["max_delay"] = self.longest(n_steps) * self.ms
        self.simulator.setup(timestep=self.fine, min_delay=self.fine, **options)
        if self.can.clock:  # PyNN doesn't set it, but spike sources use it
            brian2: PynnObject = importlib.import_module(self.can.clock)
            brian2.defaultclock.dt = self.fine * brian2.ms
        for name, raster in inputs.items():
            trains = [(np.flatnonzero(row) + 2) * self.ms for row in raster.T]
            self.populations[name] = wiring.spike_sources(self.simulator, trains, name, self.can)
        for population in self.network.populations:
            self.add(population, steps)
        for p in self.network.projections:
            self._connect(p, n_steps)

    @abc.abstractmethod
    def add(self, population: Population, steps: IntArray) -> None:
        """Add a population."""

    @abc.abstractmethod
    def rows(self, p: Projection, rows: Rows, n_steps: int) -> Rows:
        """Return PyNN's synapses for *rows*, whose delays aren't set yet."""

    def longest(self, n_steps: int) -> int:
        """Return an upper bound of all delays in PyNN, in steps."""
        described = [self.network.delay_steps(p.name) for p in self.network.projections]
        cells = (p.integrator(self.network.dt) for p in self.network.populations)
        kept = [pulses.lasting(d, n_steps) for d in cells]
        return max(described, default=1) + max(kept, default=0) + 2 + max(self.lags.values())

    def make(self, population: Population, cells: CellParameters) -> PynnObject:
        """Make PyNN's population of these cells, and record it."""
        kind = self.simulator.IF_curr_exp(**cells.parameters)
        made = self.simulator.Population(population.size, kind, label=population.name)
        made.initialize(v=cells.initial)
        made.record("spikes")
        self.populations[population.name] = made
        self._gains[population.name] = cells.gain
        return made

    def _connect(self, p: Projection, n_steps: int) -> None:
        """Add the synapses of a projection."""
        weights = self.weights[p.name] * (2 if p.signed else 1)
        rows = self.rows(p, wiring.synapses(self.network, p, weights, self._gains[p.post]), n_steps)
        ends = self.populations[p.pre], self.populations[p.post]
        wiring.connect(self.simulator, *ends, rows, self.fine)


class PlainBuilding(Building):
    """Build a network that is stepped as it is described, with the delays of `as_held`."""

    substeps = 1

    def __init__(self, *parts: PynnObject) -> None:
        super().__init__(*parts)
        self.lags = wiring.lags_of(self.network, self.can)

    def add(self, population: Population, steps: IntArray) -> None:
        d = population.integrator(self.network.dt)
        begun = self.can.begun + self.lags[population.name]
        self.make(population, pulses.plain_cells(d, self.ms, begun, self.can.dead))

    def rows(self, p: Projection, rows: Rows, n_steps: int) -> Rows:
        there = wiring.steps_there(self.network, p, self.lags, self.can)
        return rows._replace(steps=there[rows.steps])


class PulsedBuilding(Building):
    """Build a network whose noise, biases and currents are pulses, see `neurorl.pynn.pulses`."""

    substeps = SUBSTEPS

    def __init__(self, *parts: PynnObject) -> None:
        super().__init__(*parts)
        self.lags = dict.fromkeys((node.name for node in self.network.nodes), 0)

    def add(self, population: Population, steps: IntArray) -> None:
        parts = self.network, population, self.weights
        given = pulses.pulses(*parts, len(steps), self.seed, self.begins)
        lift = pulses.lift_of(*parts, given)
        d = population.integrator(self.network.dt)
        cells = pulses.pulsed_cells(d, self.ms, self.substeps, self.can.dead, lift)
        made = self.make(population, cells)
        ends = (steps + self.can.first) * self.ms - 2 * self.fine
        label = f"{population.name}: pulses"
        sources = wiring.spike_sources(self.simulator, list(ends[:, None]), label, self.can)
        for rows in pulses.pulse_rows(cells, given, lift, self.fine):
            wiring.connect(self.simulator, sources, made, rows, self.fine)

    def rows(self, p: Projection, rows: Rows, n_steps: int) -> Rows:
        more = 2 if isinstance(self.network.node(p.pre), Source) else 0
        described = self.network.synapse_steps(p.name)[rows.steps]
        there = rows._replace(steps=(described + more) * self.substeps - 1)
        (post,) = (x for x in self.network.populations if x.name == p.post)
        return pulses.in_steps(there, post.integrator(self.network.dt), n_steps)


def rasters_of(
    network: Network, populations: Named, n_steps: int, first: Mapping[str, int]
) -> Rasters:
    """Return the spikes that PyNN recorded, ``(n_steps, replicas * size)``, and clear its records.

    first: PyNN's step of the first row, by population.
    """
    rasters = {}
    for population in network.populations:
        made = populations[population.name]
        segment = made.get_data("spikes", clear=True).segments[-1]
        cells, times = segment.spiketrains.multiplexed
        raster = np.zeros((n_steps, made.size), dtype=bool)
        steps = np.rint(np.asarray(times, dtype=float) / (network.dt * 1e3)).astype(int)
        steps -= first[population.name]
        there = (steps >= 0) & (steps < n_steps)
        numbers = np.searchsorted(np.asarray(made.all_cells, dtype=int), cells)
        raster[steps[there], numbers[there]] = True
        rasters[population.name] = raster
    return rasters
