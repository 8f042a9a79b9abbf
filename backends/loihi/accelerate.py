"""Replace two loops of nengo-loihi's emulator by quick ones, equal in every bit.

nengo-loihi makes an object for every spike. Here a synapse's spiking rows are summed at once, in
C++ (``backends/loihi/src/chip.h``) where there is a compiler, else in NumPy. The replacements are
put on one instance of the emulator, never on a class; `neurorl.backends.loihi.emulator` decides
whether.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import CURRENT_BITS
from neurorl.backends.loihi.learning_tables import LearningPart, LearningTable
from neurorl.backends.loihi.model import Compiled
from neurorl.backends.loihi.native import BlockRows, Compartments, library
from neurorl.backends.loihi.synapses import add_rows
from neurorl.backends.loihi.vendor import SpikeInput
from neurorl.backends.window import Raster
from neurorl.native.structures import pointer
from neurorl.native.toolchain import problem

__all__ = ["FastCompartments", "FastSynapses"]

_CURRENT_STATE_BITS = 23  # of the current's register, and a sign

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Link:
    """Connect the spikes of some neurons to a table of weights; its arrays stay in place.

    arrived: mask of the presynaptic neurons that spiked.
    data, index: the table, as in `add_rows`.
    q: inputs of the postsynaptic compartments.
    """

    arrived: Bools
    data: npt.NDArray[np.int32]
    index: npt.NDArray[np.int32] | None
    q: npt.NDArray[np.int32]

    def add(self) -> None:
        """Add the rows of the neurons that spiked."""
        rows = self.arrived.nonzero()[0]
        if len(rows):
            add_rows(self.data, self.index, rows, self.q)

    def structure(self) -> BlockRows:
        """Return the link as a structure for C++."""
        rows, width = self.data.shape
        places = {"spiked": self.arrived, "table": self.data, "q": self.q}
        addresses = {name: pointer(place) for name, place in places.items()}
        index = {} if self.index is None else {"index": pointer(self.index)}
        return BlockRows(rows=rows, width=width, **addresses, **index)


class FastSynapses:
    """Replace `inject_current` and `update_input` of one emulator, for discrete synapses.

    Whole tables are added, however their synapses are split over cores; the sums are the same. In
    C++ one call adds all arriving weights of a step.

    emulator: the `EmulatorInterface`.
    compiled: what the emulator runs.

    inputs: by spike input, a mask of its spikes that arrive.
    gathered: compartments of a population with silent twins between its neurons, and a mask of its
        spikes that arrive.
    """

    def __init__(self, emulator: Any, compiled: Compiled) -> None:
        synapses, compartment = emulator.synapses, emulator.compartment
        self._compartment, self._compiled = compartment, compiled
        self.inputs = {
            spike_input: np.zeros(spike_input.n_neurons, dtype=bool)
            for spike_input in emulator.inputs
        }
        self.gathered: list[tuple[npt.NDArray[np.intp], Bools]] = []
        self._from: dict[str, Bools] = {}
        links = [link for name in compiled.tables for link in self._links(name)]
        links = [link for link in links if link.data.shape[1]]
        self._links_in_numpy = links if problem() is not None else []
        self._in_c = [] if problem() is not None else [link.structure() for link in links]
        self._blocks = (BlockRows * max(1, len(self._in_c)))(*self._in_c)
        if self._in_c:
            self._kept = links
            self._function = library().neurorl_chip_add_spiking
            address, count = self.structures
            self._arguments = (ctypes.c_void_p(address), ctypes.c_int64(count))
        synapses.inject_current = self.inject_current
        synapses.update_input = self.update_input

    @property
    def structures(self) -> tuple[int, int]:
        """Return the address of all tables to add, and their number, for C++."""
        return ctypes.addressof(self._blocks), len(self._in_c)

    def arrived(self, node: str) -> Bools:
        """Return a mask of the neurons that spiked in the step before; always the same array."""
        if node not in self._from:
            self._from[node] = self._find(node)
        return self._from[node]

    def _find(self, node: str) -> Bools:
        """Return the array in which a node's spikes arrive, one that later steps fill."""
        if node in self._compiled.inputs:
            return self.inputs[self._compiled.inputs[node]]
        places = self._compiled.slices[node]
        if isinstance(places, slice):
            return np.asarray(self._compartment.spiked[places])
        self.gathered.append((places, np.zeros(len(places), dtype=bool)))
        return self.gathered[-1][1]

    def _links(self, name: str) -> list[_Link]:
        """Return the links of a projection, one for each table."""
        table, (pre, post) = self._compiled.tables[name], self._compiled.ends[name]
        arrived, q = self.arrived(pre), self._compartment.input[0]
        if not isinstance(table, LearningTable):
            # Every projection into a population with silent twins learns, so here are none.
            places = self._compiled.slices[post]
            assert isinstance(places, slice)
            return [_Link(arrived, table.data, table.layout.index, q[places])]
        return [_Link(arrived[p.rows], p.data, None, q[self._core(p)]) for p in table.parts]

    def _core(self, part: LearningPart) -> slice:
        """Return the compartments of the core to which *part* belongs."""
        at = [0, *np.cumsum([b.n_neurons // 2 for b in self._compiled.blocks[part.post]]).tolist()]
        start = self._compiled.starts[part.post][at.index(part.first)]
        return slice(start, start + part.data.shape[1])

    def inject_current(
        self, t: int, spike_inputs: Iterable[SpikeInput], all_axons: object, spiked: object
    ) -> None:
        """Mark the neurons whose spikes arrive in step *t*."""
        for spike_input, arrived in self.inputs.items():
            arrived[:] = False
            rows: Any = spike_input.spike_idxs(t - 1) if t >= 2 else []
            if len(rows):
                arrived[rows] = True
        self._gather()

    def _gather(self) -> None:
        """Copy the spikes of populations that have silent twins between their neurons."""
        for places, arrived in self.gathered:
            self._compartment.spiked.take(places, out=arrived)

    def step(
        self,
        emulator: Any,
        learn: Callable[[int], None] | None,
        update: Callable[[object], None],
        rasters: dict[SpikeInput, Raster],
        row: int,
    ) -> None:
        """Make a step of *emulator* without its calls for delays and probes: it has neither.

        learn: called with t to do what learning does in that step; None if nothing learns.
        update: called to update the compartments.
        rasters: rasters of a whole window, by spike input.
        row: the row of *rasters* that this step is. What arrives in row 0 is still in the spike
            inputs.
        """
        emulator.t += 1
        compartment = emulator.compartment
        compartment.input.fill(0)
        if row == 0:
            self.inject_current(emulator.t, emulator.inputs, None, compartment.spiked)
        else:
            for spike_input, raster in rasters.items():
                self.inputs[spike_input][:] = raster[row - 1]
            self._gather()
        self.update_input(compartment.input)
        if learn is not None:
            learn(emulator.t)
        update(None)

    def update_input(self, input: npt.NDArray[np.int32]) -> None:
        """Add the weights of the spikes that arrived to the compartments' input."""
        for link in self._links_in_numpy:
            link.add()
        if self._in_c:
            self._function(*self._arguments)


class FastCompartments:
    """Replace `update` of one emulator's compartments, for those without the chip's own noise.

    is_native: whether it runs in C++.
    """

    def __init__(self, compartment: Any) -> None:
        self._c = compartment
        # |x| < 2**24 and the factor has 12 bits, so their product is exact in float64; dividing by
        # 2**12 is exact too. Truncation then gives the same bits as the emulator's integer shift.
        self._current_factor = (4095 - compartment.decay_u) / 4096.0
        self._voltage_factor = (4096 - compartment.decay_v) / 4096.0
        self._has_refractory = bool((compartment.ref > 1).any())
        self.is_native = problem() is None
        if self.is_native:
            self._structure = self._make_structure()
            self._function = library().neurorl_chip_update
            self._address = ctypes.c_void_p(ctypes.addressof(self._structure))
            compartment.update = self.update_natively
            return
        self._decayed = np.empty(len(compartment.current))
        self._change = np.empty(len(compartment.current), dtype=np.int32)
        compartment.update = self.update

    def _make_structure(self) -> Compartments:
        """Return the compartments' arrays for C++."""
        c = self._c
        names = [
            "current",
            "voltage",
            "ref_count",
            "spike_count",
            "spiked",
            "bias",
            "vmin",
            "vmax",
            "vth",
            "ref",
        ]
        return Compartments(
            n=len(c.current),
            has_refractory=self._has_refractory,
            q=pointer(c.input[0]),
            current_factor=pointer(self._current_factor),
            voltage_factor=pointer(self._voltage_factor),
            **{name: pointer(getattr(c, name)) for name in names},
        )

    @property
    def structure(self) -> int:
        """Return the address of the compartments for C++."""
        return ctypes.addressof(self._structure)

    def update_natively(self, rng: object) -> None:
        """Update in C++; see `update`."""
        self._function(self._address)

    def update(self, rng: object) -> None:
        """Update currents, voltages and spikes by one step; *rng*, for noise, is unused."""
        c, decayed, change = self._c, self._decayed, self._change
        q = c.input[0]
        _wrap(q, CURRENT_BITS)
        np.multiply(c.current, self._current_factor, out=decayed)
        np.trunc(decayed, out=decayed)
        np.add(decayed, q, out=c.current, casting="unsafe")
        _wrap(c.current, _CURRENT_STATE_BITS)
        np.add(c.current, c.bias, out=change)
        _wrap(change, _CURRENT_STATE_BITS)
        np.multiply(c.voltage, self._voltage_factor, out=decayed)
        np.trunc(decayed, out=decayed)
        np.add(decayed, change, out=c.voltage, casting="unsafe")
        np.maximum(c.voltage, c.vmin, out=c.voltage)
        np.minimum(c.voltage, c.vmax, out=c.voltage)
        if self._has_refractory:
            c.voltage[c.ref_count > 0] = 0
        spiked = np.greater(c.voltage, c.vth, out=c.spiked)
        c.voltage[spiked] = 0
        c.spike_count += spiked
        if self._has_refractory:
            np.copyto(c.ref_count, c.ref, where=spiked)
            c.ref_count -= 1
            np.maximum(c.ref_count, 0, out=c.ref_count)


def _wrap(x: npt.NDArray[np.int32], bits: int) -> None:
    """Wrap *x* in place to a register of *bits* bits and a sign."""
    half = 1 << bits
    x += half
    x &= 2 * half - 1
    x -= half
