"""Define `NativeSimulator`: a network as printed C++, one call for each window."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import NOISE_MODES
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.native.library import advance_of
from neurorl.backends.native.printer import printed
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import VARIABLES, Simulator, State
from neurorl.backends.window import NativeRun, Raster, WindowCall
from neurorl.native.build import failure
from neurorl.network.limits import MAX_DELAY
from neurorl.numerics.random import LOGISTIC_TABLE
from neurorl.program import NodeProgram, Release

__all__ = ["NativeSimulator"]

Array = npt.NDArray[Any]
_MOST = 2**28
"""Bound a level, see `Simulator.levels`: the code adds four in 32 bits."""


class NativeSimulator(Simulator):
    """Run a network in C++ that is printed from its program, with the reference's bits.

    Compiles for some tenths of a second, once for each structure and size of network, then cached.

    `build` raises BackendError if the network doesn't compile.
    """

    name: ClassVar[str] = "native"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("float", "loihi"),
        exact_arithmetics=("float", "loihi"),
        engines=("cpp",),
        noises=NOISE_MODES,
        equations=True,
        sparse=True,
        synapse_delays=True,
        short_term=MAX_DELAY,
    )

    @classmethod
    def hindrance(cls) -> str | None:
        """Return why nothing can be compiled here."""
        return failure()

    def build(self, simulated: SimulatedNetwork) -> None:
        """Print and compile the network, and write all biases and weights."""
        self.simulated, self.program = simulated, simulated.program
        self._source, table = printed(self.program)
        self._advance = advance_of(self._source)
        self._numbers = {node.name: k for k, node in enumerate(self.program.nodes)}
        self._projections = {p.name: k for k, p in enumerate(self.program.projections)}
        self._sources = [node for node in self.program.nodes if node.is_source]
        self._populations = [node for node in self.program.nodes if not node.is_source]
        self._arrays = table.allocated({"logistic": LOGISTIC_TABLE})
        self._arrays["seeds"][:] = simulated.seeds
        for k, node in enumerate(self.program.nodes):
            self._fill_node(k, node)
        for k, projection in enumerate(self.program.projections):
            if projection.rows is not None:
                self._arrays[f"start{k}"][:] = projection.rows.start.ravel()
                self._arrays[f"to{k}"][:] = projection.rows.to
        self.put_in_force(simulated)

    def _fill_node(self, k: int, node: NodeProgram) -> None:
        arrays = self._arrays
        for x, value in node.initial.items():
            arrays[f"initial{k}_{x}"][:] = arrays[f"state{k}_{x}"][:] = value
        for x, value in node.constants.items():
            arrays[f"constant{k}_{x}"][:] = value
        if node.refractory is not None:
            arrays[f"refractory{k}"][:] = node.refractory

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall:
        """Return a call of C that reads and writes these arrays, without copies or allocations."""
        into = [*(inputs[node.name] for node in self._sources), *self._arrays.values()]
        out = [rasters.get(node.name) for node in self._populations]
        tables = _addresses(into), _addresses(out)
        places = [ctypes.addressof(table) for table in tables]
        function = ctypes.cast(self._advance, ctypes.c_void_p).value
        assert function is not None
        arguments = (ctypes.c_int64(n_steps), *map(ctypes.c_void_p, places))
        # Kept alive here for C, as the caller may replace what is in the window's dicts.
        kept = (into, out, tables)
        return WindowCall(self._advance, arguments, NativeRun(function, *places), kept)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        rows = {node.name: np.ascontiguousarray(inputs[node.name], bool) for node in self._sources}
        rasters = {
            name: np.empty((n_steps, self.program.nodes[self._numbers[name]].size), bool)
            for name in self.simulated.record
        }
        call = self.window(rows, rasters, n_steps)
        call.function(False, *call.arguments)
        return rasters

    def write_weights(self, projection: str) -> None:
        k = self._projections.get(projection)
        if k is None:  # it has no synapse
            return
        values = self.simulated.transmitted(projection).ravel()
        if not self._write_levels(k, values):
            places = self._places(k)
            self._arrays[f"w{k}"][:] = values if places is None else values[places]

    def _write_levels(self, k: int, values: Array) -> bool:
        """Write weights as levels, if they are held so and are such; else hold none any more."""
        unit = self._unit(k)
        if not unit:
            return False
        numbers = values * (1.0 / unit)
        if (np.rint(numbers) == numbers).all() and np.abs(numbers).max(initial=0.0) <= _MOST:
            self._arrays[f"levels{k}"][:] = numbers
            return True
        self._arrays[f"unit{k}"][0] = 0.0
        return False

    def _unit(self, k: int) -> float:
        """Return the unit of a projection's levels, 0 if they aren't in force."""
        return float(self._arrays[f"unit{k}"][0]) if self.program.projections[k].has_levels else 0.0

    def _places(self, k: int) -> Array | None:
        rows = self.program.projections[k].rows
        return None if rows is None else rows.places

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        k = self._numbers[population]
        if self.program.nodes[k].has_bias:
            self._arrays[f"bias{k}"][:] = bias

    def memory(self, projection: str) -> npt.NDArray[np.float64] | None:
        k = self._projections.get(projection)
        if k is None or self.simulated.network.projection(projection).signed:
            return None
        return None if self._unit(k) or self._places(k) is not None else self._arrays[f"w{k}"]

    def held(self, projection: str) -> npt.NDArray[np.float64] | None:
        k = self._projections.get(projection)
        unit = 0.0 if k is None else self._unit(k)
        return self._arrays[f"levels{k}"] * unit if unit else self.memory(projection)

    def levels(self, projection: str, unit: float) -> npt.NDArray[np.int32] | None:
        k = self._projections.get(projection)
        if k is None or not self.program.projections[k].has_levels:
            return None
        levels: npt.NDArray[np.int32] = self._arrays[f"levels{k}"]
        if self._unit(k) != unit:
            values = self.held(projection)
            assert values is not None
            levels[:] = np.rint(values * (1.0 / unit))
            self._arrays[f"unit{k}"][0] = unit
        return levels

    def variables(self, population: str) -> State:
        k = self._numbers[population]
        return {x: self._arrays[f"state{k}_{x}"] for x in self._variables(k)}

    def source(self) -> str:
        """Return the printed C++, in which numbers stand for names, after what they mean."""
        nodes = (f"{k} is {node.name}" for k, node in enumerate(self.program.nodes))
        arrows = (f"{k} is {p.name}" for k, p in enumerate(self.program.projections))
        about = [*self.simulated.text().splitlines(), "", f"Nodes: {', '.join(nodes)}"]
        about.append(f"Projections: {', '.join(arrows)}")
        return "".join(f"// {line}".rstrip() + "\n" for line in about) + "\n" + self._source

    def close(self) -> None:
        """Drop the arrays."""
        self._arrays = {}

    def time(self, replica: int) -> int:
        return int(self._arrays["clock"][0]) + int(self._ahead(replica)[0])

    def _ahead(self, replica: int) -> Array:
        """Return, as a view, the steps of a replica less those of the clock, which all share."""
        if self.simulated.n_replicas == 1:
            return np.zeros(1, np.int64)
        ahead: Array = self._arrays["ahead"][replica : replica + 1]
        return ahead

    def reset(self, replicas: Sequence[int]) -> None:
        for k, node in enumerate(self.program.nodes):
            spikes = self._spikes(k)
            for replica in replicas:
                columns = self.simulated.columns(node.name, replica)
                spikes[:, columns] = False
                for x in node.initial:
                    initial = self._arrays[f"initial{k}_{x}"][columns]
                    self._arrays[f"state{k}_{x}"][columns] = initial
                if node.refractory is not None:
                    self._arrays[f"dead{k}"][columns] = 0
            self._write_spikes(k, spikes)

    def state(self, replica: int) -> State:
        state: State = {}
        for k, node in enumerate(self.program.nodes):
            state[f"{node.name}.spikes"] = self._spikes(k)[
                :, self.simulated.columns(node.name, replica)
            ]
        for k, node in enumerate(self.program.nodes):
            columns = self.simulated.columns(node.name, replica)
            for x, key in self._keys(k).items():
                values = self._arrays[f"state{k}_{x}"][columns]
                state[f"{node.name}.{key}"] = values.astype(self.simulated.dtype)
            if not node.is_source:
                dead = np.zeros(node.size) if node.refractory is None else self._arrays[f"dead{k}"]
                state[f"{node.name}.refractory"] = dead[columns].astype(np.int64)
        for held in self._releases():
            columns = self.simulated.columns(held.node.name, replica)
            spikes = state[f"{held.node.name}.spikes"][-held.release.delay :]
            state[f"{held.release.projection}.u"] = held.u[columns].copy()
            state[f"{held.release.projection}.used"] = held.used[columns].copy()
            released = np.where(spikes, held.ring[held.rows][:, columns], 0.0)
            state[f"{held.release.projection}.release"] = released
        return state

    def restore(self, state: State, replica: int) -> None:
        spikes = [self._spikes(k) for k in range(len(self.program.nodes))]
        released = [(held, held.ring[held.rows]) for held in self._releases()]
        if self.simulated.n_replicas == 1:
            self._arrays["clock"][0] = int(state["t"])
        else:
            self._ahead(replica)[0] = int(state["t"]) - self._arrays["clock"][0]
        for k, node in enumerate(self.program.nodes):
            columns = self.simulated.columns(node.name, replica)
            spikes[k][:, columns] = state[f"{node.name}.spikes"]
            self._write_spikes(k, spikes[k])
            for x, key in self._keys(k).items():
                self._arrays[f"state{k}_{x}"][columns] = state[f"{node.name}.{key}"]
            if node.refractory is not None:
                self._arrays[f"dead{k}"][columns] = state[f"{node.name}.refractory"]
        for held, (_, ring) in zip(self._releases(), released, strict=True):
            columns, name = self.simulated.columns(held.node.name, replica), held.release.projection
            held.u[columns], held.used[columns] = state[f"{name}.u"], state[f"{name}.used"]
            ring[:, columns] = state[f"{name}.release"]
            held.ring[held.rows] = ring

    def _variables(self, k: int) -> list[str]:
        """Return the state variables of a node's own model."""
        node = self.program.nodes[k]
        others = {x for release in node.releases.values() for x in (release.u, release.used)}
        return [x for x in node.initial if x not in others]

    def _keys(self, k: int) -> dict[str, str]:
        """Return the names in a state of a node's variables."""
        names = self._variables(k)
        if self.program.nodes[k].names_bias:  # a current and a membrane
            return dict(zip(names, VARIABLES[:2], strict=True))
        return {x: x for x in names}

    def _rows(self, k: int) -> tuple[Array, list[int]]:
        """Return the rows of spikes of a node, and the places of the last steps', newest last."""
        depth, t = self.program.nodes[k].depth, int(self._arrays["clock"][0])
        rows = self._arrays[f"row{k}"].reshape(depth, -1)
        return rows, [(t - age) % depth for age in range(depth, 0, -1)]

    def _spikes(self, k: int) -> Raster:
        """Return a node's last spikes, newest last."""
        rows, places = self._rows(k)
        raster = np.zeros((len(places), self.program.nodes[k].size), dtype=bool)
        for to, place in zip(raster, places, strict=True):
            to[rows[place, : rows[place, -1]]] = True
        return raster

    def _write_spikes(self, k: int, raster: Raster) -> None:
        rows, places = self._rows(k)
        for spikes, place in zip(raster, places, strict=True):
            found = np.flatnonzero(spikes)
            rows[place, : len(found)] = found
            rows[place, -1] = len(found)

    def _releases(self) -> Iterator[_Released]:
        """Yield what spikes on the way release."""
        t = int(self._arrays["clock"][0])
        for k, node in enumerate(self.program.nodes):
            for x, release in node.releases.items():
                ring = self._arrays[f"released{k}_{x}"].reshape(node.depth, -1)
                rows = [(t - age) % node.depth for age in range(release.delay, 0, -1)]
                u, used = (self._arrays[f"state{k}_{y}"] for y in (release.u, release.used))
                yield _Released(node, release, u, used, ring, rows)


class _Released(NamedTuple):
    """Hold the state of a projection's short-term plasticity, as views.

    ring: what was released, ``(depth, size)``. rows: of the last steps, newest last.
    """

    node: NodeProgram
    release: Release
    u: Array
    used: Array
    ring: Array
    rows: list[int]


def _addresses(arrays: Sequence[Array | None]) -> ctypes.Array[ctypes.c_void_p]:
    """Return pointers for C, NULL for none or an empty array; keep both while C uses them."""
    places = [None if x is None or not x.size else x.ctypes.data for x in arrays]
    return (ctypes.c_void_p * len(places))(*places)
