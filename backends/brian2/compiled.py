"""Run the engine 'compiled': Brian2's C++ code of the whole network, one call per window."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.cache import begin, find_or_build
from neurorl.backends.brian2.engine import Engine
from neurorl.backends.brian2.equations import node_name, projection_name
from neurorl.backends.brian2.library import Library, Rasters, places
from neurorl.backends.brian2.plan import constants, library_arrays, library_plan
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.window import NativeRun, Raster, WindowCall
from neurorl.native.background import Building
from neurorl.network.description import Network, Projection

__all__ = ["Compiled", "begin_library"]

_MOST = 2**28  # of a level, see `Simulator.levels`: the code adds four in 32 bits


class Compiled(Engine):
    """Run a network in a library of its own.

    advance: as in `neurorl.backends.brian2.library.Library`, with rasters in the order of *sources*
        and *populations*.

    Arriving weights are added to ``q`` at the start of the step in which they act, by the spikes of
    earlier steps, so weights written between two steps act at once. A node with a delay of several
    steps has a ring of its last spikes, in which ``t % depth`` is the row of step t.
    """

    remarks = ("# compiled: the sums of Synapses are own code, before groups of the next step",)

    def __init__(self, simulated: SimulatedNetwork) -> None:
        network, arithmetic = simulated.whole, simulated.whole_arithmetic
        plan = _plan(simulated)
        entry = find_or_build(plan)
        library = Library(entry.folder, entry.code, entry.arrays)
        self.advance, self._reset_replica = library.advance, library.reset_replica
        self._timestep = library.array("ticks", "timestep")
        self._time = library.array("ticks", "t")
        self._dt = network.dt
        names = {node.name: node_name(network, node.name) for node in network.spiking.nodes}
        self.nodes = tuple(names)
        self._rows = {name: library.array(node, "_spikespace") for name, node in names.items()}
        self._rings = {
            name: library.array(f"{names[name]}_memory", "ring").reshape(depth, -1)
            for name, depth in simulated.depths.items()
            if depth > 1
        }
        self.variables = {}
        for population in network.spiking.nodes:
            node = names[population.name]
            memory = {name: library.array(node, name) for name in library.names(node)}
            values = constants(network, population, arithmetic, simulated.seeds)
            for name, value in values.items():
                if name in memory:
                    memory[name][:] = value
            if values:
                self.variables[population.name] = memory
        self._weights: dict[str, tuple[npt.NDArray[np.float64], Any]] = {}
        self._levels: dict[str, tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]] = {}
        planned = {text["name"]: text for text in plan["projections"]}
        for projection in network.spiking.projections:
            text = planned.get(projection_name(network, projection))
            if text is not None:  # else it has no synapse
                self._find_weights(network, projection, library, text)
        self.sources = [source.name for source in network.spiking.sources]
        self.populations = [p.name for p in network.populations]
        self._in = Rasters([source.size for source in network.spiking.sources])
        self._out = Rasters(
            [p.size if p.name in simulated.record else 0 for p in network.populations]
        )

    def _find_weights(
        self, network: Network, projection: Projection, library: Library, text: dict[str, Any]
    ) -> None:
        """Return a projection's memory, and the indices of its flat weights (None for all).

        Writes the lists of synapses if the projection has such.
        """
        held = None
        if text["sparse"]:
            lists = library_arrays(network, projection)
            held = lists.held
            library.array(text["name"], "start")[:] = lists.start.ravel()
            library.array(text["name"], "target")[:] = lists.target
            if lists.delays is not None:
                library.array(text["name"], "delays")[:] = lists.delays
        self._weights[projection.name] = (library.array(text["name"], "w"), held)
        if text["levels"]:
            both = (library.array(text["name"], name) for name in ("levels", "unit"))
            self._levels[projection.name] = (next(both), next(both))

    @property
    def t(self) -> int:
        """Return the steps since the start; may be set."""
        return int(self._timestep[0])

    @t.setter
    def t(self, step: int) -> None:
        self._timestep[0] = step
        self._time[0] = step * self._dt

    def write(self, name: str, transmitted: npt.NDArray[Any]) -> None:
        if name in self._weights:  # else the projection has no synapse
            memory, held = self._weights[name]
            values = transmitted.ravel()
            if not self._write_levels(name, values):
                memory[:] = values if held is None else values[held]

    def _write_levels(self, name: str, values: npt.NDArray[Any]) -> bool:
        """Write weights as levels, if they are held so and are such; else hold none any more."""
        unit = self._unit(name)
        if not unit:
            return False
        levels, held = self._levels[name]
        numbers = values * (1.0 / unit)
        if (np.rint(numbers) == numbers).all() and np.abs(numbers).max(initial=0.0) <= _MOST:
            levels[:] = numbers
            return True
        held[0] = 0.0
        return False

    def _unit(self, name: str) -> float:
        """Return the unit of a projection's levels, 0 if they aren't in force."""
        return float(self._levels[name][1][0]) if name in self._levels else 0.0

    def reset(self) -> None:
        self.advance(True, 0, self._in.pointers, self._out.pointers)

    def reset_replicas(self, replicas: Sequence[int], n: int) -> bool:
        for k in replicas:
            self._reset_replica(k, n)
        return True

    def memory(self, name: str) -> npt.NDArray[np.float64] | None:
        memory, held = self._weights.get(name, (None, None))
        return memory if held is None and not self._unit(name) else None

    def held(self, name: str) -> npt.NDArray[np.float64] | None:
        unit = self._unit(name)
        return np.multiply(self._levels[name][0], unit) if unit else self.memory(name)

    def levels(self, name: str, unit: float) -> npt.NDArray[np.int32] | None:
        if name not in self._levels:
            return None
        levels, held = self._levels[name]
        if held[0] != unit:
            values = self.held(name)
            assert values is not None
            levels[:] = np.rint(values * (1.0 / unit))
            held[0] = unit
        return levels

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        self._in.reserve(n_steps)
        self._out.reserve(n_steps)
        for name, buffer in zip(self.sources, self._in.buffers, strict=True):
            buffer[:n_steps] = inputs[name]
        self.advance(False, n_steps, self._in.pointers, self._out.pointers)
        return {
            name: buffer[:n_steps].copy()
            for name, buffer in zip(self.populations, self._out.buffers, strict=True)
            if buffer.size
        }

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall:
        """Return a call of C that reads and writes these arrays, without copies or allocations."""
        none = np.zeros((0, 0), dtype=bool)
        # Kept alive here for C, as the caller may replace what is in the window's dicts.
        buffers = (
            [inputs[name] for name in self.sources],
            [rasters.get(name, none) for name in self.populations],
        )
        pointers = [places(each) for each in buffers]
        addresses = [ctypes.addressof(each) for each in pointers]
        function = ctypes.cast(self.advance, ctypes.c_void_p).value
        assert function is not None
        arguments = (ctypes.c_int64(n_steps), *map(ctypes.c_void_p, addresses))
        native = NativeRun(function, *addresses)
        return WindowCall(self.advance, arguments, native, (buffers, pointers))

    def spikes(self, name: str) -> Raster:
        """Return a node's last spikes, from the ring and from Brian2's own row."""
        rows = [self._rows[name]]
        if name in self._rings:  # the newest row joins the ring only in the next step
            ring = self._rings[name]
            depth = len(ring)
            rows = [ring[(self.t - age) % depth] for age in range(depth, 1, -1)] + rows
        raster = np.zeros((len(rows), len(rows[0]) - 1), dtype=bool)
        for k, row in enumerate(rows):
            raster[k, row[: row[-1]]] = True
        return raster

    def put_in_flight(self, spikes: dict[str, npt.NDArray[np.bool_]]) -> None:
        for name, raster in spikes.items():
            _fill(self._rows[name], raster[-1])
            for age, row in enumerate(raster[::-1], start=1):
                if name in self._rings:
                    ring = self._rings[name]
                    _fill(ring[(self.t - age) % len(ring)], row)

    def close(self) -> None:
        """Drop all views, so that the library is unloaded."""
        self.__dict__.clear()


def begin_library(simulated: SimulatedNetwork) -> Building | None:
    """Begin to compile a network's library in a process of its own; None if it is there."""
    return begin(_plan(simulated))


def _plan(simulated: SimulatedNetwork) -> dict[str, Any]:
    network, arithmetic = simulated.whole, simulated.whole_arithmetic
    return library_plan(network, arithmetic, simulated.depths, simulated.n_replicas)


def _fill(row: npt.NDArray[np.int32], spikes: npt.NDArray[np.bool_]) -> None:
    """Write one step's spikes in Brian2's format: indices, and their number at the end."""
    indices = np.flatnonzero(spikes)
    row[: len(indices)] = indices
    row[-1] = len(indices)
