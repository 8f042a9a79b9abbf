"""Define `NativeSimulator`: a network as printed C++, one call for each window."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.native.printer import library_of, printed
from neurorl.backends.programmed import OF_PROGRAMS, ProgramSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.window import NativeRun, Raster, WindowCall
from neurorl.native.build import failure
from neurorl.numerics.arrays import Array, FloatArray, Int32Array
from neurorl.numerics.random import LOGISTIC_TABLE
from neurorl.program import Release
from neurorl.storage.plain import check_count

_MOST_THREADS = 1024
_MOST = 2**28
"""Bound a level, see `Simulator.levels`: the code adds four in 32 bits."""


class NativeSimulator(ProgramSimulator):
    """Run a network in C++ that is printed from its program, with the reference's bits.

    Compiles for some tenths of a second, once for each structure and size of network, then cached.
    Without a compiler, a wheel's own code for networks of usual structures is a little slower.

    threads: how many share the replicas, which changes no bit; one replica needs one. A learning
        loop in C++ takes as many.

    `build` raises BackendError if the network doesn't compile, NotShippedError if a wheel has no
    code for its structure and there is no compiler.
    """

    name: ClassVar[str] = "native"
    capabilities: ClassVar[Capabilities] = replace(OF_PROGRAMS, engines=("cpp",))

    def __init__(self, threads: int = 1) -> None:
        self.threads = check_count(f"backend {self.name}, threads", threads, 1, _MOST_THREADS)

    @classmethod
    def hindrance(cls) -> str | None:
        """Return why there is no compiled code here, and can be none."""
        return failure()

    def build(self, simulated: SimulatedNetwork) -> None:
        """Print and compile the network, and write all biases and weights."""
        self.take(simulated)
        code = printed(self.program)
        taken, table = code.taken(), code.table
        self._source, self._advance = taken.code, library_of(taken).neurorl_advance
        self._given: dict[str, type] = {self._name(k): bool for k in self.sources}
        self._given |= dict.fromkeys(self.driven, float)
        self._projections = {p.name: k for k, p in enumerate(self.program.projections)}
        self._arrays = table.allocated({"logistic": LOGISTIC_TABLE})
        self._addresses = _addresses([*self._arrays.values()])
        self._arrays["seeds"][:] = simulated.seeds
        n = simulated.n_replicas
        self.threads = min(self.threads, n)
        self._arrays["threads"][:] = self.threads, n
        self._arrays["sizes"][:] = [*table.sizes.values()]
        ends = [n * k // self.threads for k in range(self.threads + 1)]
        self._ranges = [*pairwise(ends)]  # as src/parallel.h has them
        for k, node in enumerate(self.program.nodes):
            for x, value in node.initial.items():
                self._arrays[f"initial{k}_{x}"][:] = self._arrays[f"state{k}_{x}"][:] = value
            for x, value in node.constants.items():
                self._arrays[f"constant{k}_{x}"][:] = value
            if node.refractory is not None:
                self._arrays[f"refractory{k}"][:] = node.refractory
        for k, projection in enumerate(self.program.projections):
            if projection.rows is not None:
                self._arrays[f"start{k}"][:] = projection.rows.start.ravel()
                self._arrays[f"to{k}"][:] = projection.rows.to
            if f"fits{k}" in self._arrays:
                by = simulated.whole_arithmetic.rounding(projection.name)
                self._arrays[f"fits{k}"][0] = (2**15 - 1) // (by.limit * by.transmitted_unit)
        self.put_in_force(simulated)

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall:
        """Return a call of C that reads and writes these arrays, without copies or allocations."""
        into = [inputs[name] for name in self._given]
        out = [rasters.get(self._name(k)) for k in self.populations]
        tables = _pointers([*_addresses(into), *self._addresses]), _pointers(_addresses(out))
        places = [ctypes.addressof(table) for table in tables]
        function = ctypes.cast(self._advance, ctypes.c_void_p).value
        assert function is not None
        arguments = (ctypes.c_int64(n_steps), *map(ctypes.c_void_p, places))
        # Kept alive here for C, as the caller may replace what is in the window's dicts.
        kept = (into, out, tables, self._arrays)
        return WindowCall(self._advance, arguments, NativeRun(function, *places), kept)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        rows: Inputs = {x: np.ascontiguousarray(inputs[x], kind) for x, kind in self._given.items()}
        rasters = {
            name: np.empty((n_steps, self.program.nodes[self.numbers[name]].size), bool)
            for name in self.simulated.record
        }
        call = self.window(rows, rasters, n_steps)
        call.function(False, *call.arguments)
        return rasters

    def _name(self, k: int) -> str:
        return self.program.nodes[k].name

    def write_weights(self, projection: str) -> None:
        k = self._projections.get(projection)
        if k is None:  # it has no synapse
            return
        values = self.simulated.transmitted(projection).ravel()
        if not self._write_levels(k, values):
            places = self.program.projections[k].places()
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

    def write_bias(self, population: str, bias: Array) -> None:
        k = self.numbers[population]
        if self.program.nodes[k].has_bias:
            self._arrays[f"bias{k}"][:] = bias

    def biases(self, population: str) -> FloatArray | None:
        k = self.numbers[population]
        return self._arrays[f"bias{k}"] if self.program.nodes[k].has_bias else None

    def memory(self, projection: str) -> Array | None:
        k = self._projections.get(projection)
        if k is None or self.simulated.network.projection(projection).signed:
            return None
        is_direct = not self._unit(k) and self.program.projections[k].places() is None
        return self._arrays[f"w{k}"] if is_direct else None

    def held(self, projection: str) -> Array | None:
        return self.held_part(projection, slice(None))

    def held_part(self, projection: str, part: slice) -> Array | None:
        k = self._projections.get(projection)
        unit = 0.0 if k is None else self._unit(k)
        memory = self._arrays[f"levels{k}"] if unit else self.memory(projection)
        if memory is None:
            return None
        return memory[part] * unit if unit else memory[part]

    def levels(self, projection: str, unit: float) -> Int32Array | None:
        k = self._projections.get(projection)
        if k is None or not self.program.projections[k].has_levels:
            return None
        levels: Int32Array = self._arrays[f"levels{k}"]
        if self._unit(k) != unit:
            values = self.held(projection)
            assert values is not None
            levels[:] = np.rint(values * (1.0 / unit))
            self._arrays[f"unit{k}"][0] = unit
        return levels

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
        return int(self._arrays["clock"][0]) + int(self._ahead[replica])

    @property
    def _ahead(self) -> Array:
        """Return the steps of each replica less those of the clock, which all share."""
        ahead: Array = self._arrays["ahead"] if "ahead" in self._arrays else np.zeros(1, np.int64)
        return ahead

    def put_time(self, t: int, replica: int) -> None:
        if self.simulated.n_replicas == 1:
            self._arrays["clock"][0] = t
        else:
            self._ahead[replica] = t - int(self._arrays["clock"][0])

    def values(self, k: int, variable: str) -> Array:
        return self._arrays[f"state{k}_{variable}"]

    def dead(self, k: int) -> Array:
        return self._arrays[f"dead{k}"]

    def past(self, k: int) -> Raster:
        rows = self._arrays[f"row{k}"].reshape(self.program.nodes[k].depth, -1)
        raster = np.zeros((len(rows), self.program.nodes[k].size), dtype=bool)
        for to, place in zip(raster, self._places_of_steps(k, len(rows)), strict=True):
            for row, _ in self._rows_of_threads(k, rows[place]):
                to[row[: row[-1]]] = True
        return raster

    def _rows_of_threads(self, k: int, row: Int32Array) -> Iterator[tuple[Int32Array, slice]]:
        """Yield the row of spikes of each thread, and which neurons of a node it is for."""
        size = self.program.nodes[k].size // self.simulated.n_replicas
        for first, last in self._ranges:
            begin, n = first * (size + 1), (last - first) * size
            yield row[begin : begin + n + 1], slice(first * size, last * size)

    def put_past(self, rasters: Mapping[int, Raster]) -> None:
        for k, raster in rasters.items():
            rows = self._arrays[f"row{k}"].reshape(len(raster), -1)
            for spikes, place in zip(raster, self._places_of_steps(k, len(rows)), strict=True):
                for row, own in self._rows_of_threads(k, rows[place]):
                    found = np.flatnonzero(spikes[own])
                    row[: len(found)] = found + own.start
                    row[-1] = len(found)

    def released(self, k: int, release: Release) -> Sequence[Array]:
        ring = self._arrays[f"released{k}_{release.variable}"]
        rows = ring.reshape(self.program.nodes[k].depth, -1)
        return [rows[place] for place in self._places_of_steps(k, release.delay)]

    def _places_of_steps(self, k: int, n_steps: int) -> list[int]:
        """Return the places of the last steps in a node's rings, newest last."""
        depth, t = self.program.nodes[k].depth, int(self._arrays["clock"][0])
        return [(t - age) % depth for age in range(n_steps, 0, -1)]


def _addresses(arrays: Sequence[Array | None]) -> list[int | None]:
    """Return where arrays begin, None for none or an empty one."""
    return [None if x is None or not x.size else x.__array_interface__["data"][0] for x in arrays]


def _pointers(addresses: Sequence[int | None]) -> ctypes.Array[ctypes.c_void_p]:
    """Return a table for C, to be kept as long as C uses it."""
    return (ctypes.c_void_p * len(addresses))(*addresses)
