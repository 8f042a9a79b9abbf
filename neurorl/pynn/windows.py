"""Play windows that start from silence, one after the other, in one network of PyNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.pynn.building import PulsedBuilding, Rasters, rasters_of
from neurorl.pynn.export import problems
from neurorl.pynn.pulses import lasting
from neurorl.pynn.targets import TARGETS, target_name
from neurorl.pynn.wiring import spike_times

__all__ = ["Windows"]


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
        simulator: Any,
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
        silence = {
            source.name: np.zeros((1, len(begins) * source.size), dtype=bool)
            for source in network.sources
        }
        self._made.build(silence, (windows + np.arange(n_steps)).ravel(), n_steps)

    def play(self, inputs: Mapping[str, npt.NDArray[np.bool_]]) -> Rasters:
        """Play the next window; return the spikes of each population.

        inputs: rasters ``(n_steps, replicas * size)`` by source; the result has the same shape.
        """
        made, network = self._made, self._made.network
        start = self.played * self._period
        for source in network.sources:
            raster = np.asarray(inputs[source.name], dtype=bool)
            trains = [(start + np.flatnonzero(row) + 2) * made.ms for row in raster.T]
            there = made.populations[source.name]
            there.set(spike_times=spike_times(trains, made.can))
        for population in network.populations:
            made.populations[population.name].initialize(v=0.0)
        made.simulator.run(self._period * made.ms)
        self.played += 1
        first = dict.fromkeys(made.populations, start + made.can.first)
        return rasters_of(network, made.populations, self.n_steps, len(self.begins), first)


def _gap(network: Network, made: PulsedBuilding, n_steps: int) -> int:
    """Return after how many steps without input no spike or current is left."""
    steps = made.can.first + 2
    steps += max((network.delay_steps(p.name) for p in network.projections), default=1)
    integrators = [made.integrator(population) for population in network.populations]
    steps += max((lasting(d, n_steps) for d in integrators), default=0)
    return steps + max((int(d.refractory_steps.max(initial=0)) for d in integrators), default=0)
