"""Quick replacements of two loops of nengo-loihi's emulator, equal in every bit.

Its own code makes an object for every spike; here a synapse's spiking rows are summed at once, in
C++ (``neurorl/native/src/chip.h``) where there is a compiler, else in NumPy. They are put on one
instance, never on a class. `neurorl.backends.loihi.emulator` decides.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.model import Compiled
from neurorl.backends.loihi.synapses import WeightTable
from neurorl.backends.loihi.vendor import SpikeInput
from neurorl.backends.window import Raster
from neurorl.native.build import library
from neurorl.native.structures import BlockRows, Compartments, pointer
from neurorl.native.toolchain import problem
from neurorl.quantiser import CURRENT_BITS

__all__ = ["FastCompartments", "FastSynapses"]

_CURRENT_STATE_BITS = 23


class FastSynapses:
    """`inject_current` and `update_input` of one emulator, for discrete synapses that don't learn.

    compiled: what the emulator runs. Whole tables are added, however their synapses are split over
    cores: their sums are those of the parts. In C++ one call adds all of a step's.
    """

    def __init__(self, emulator: Any, compiled: Compiled) -> None:
        synapses, compartment = emulator.synapses, emulator.compartment
        self._in_c: list[BlockRows] = []
        self._from_inputs: dict[SpikeInput, list[tuple[WeightTable, slice]]] = {}
        self._arrived: dict[SpikeInput, npt.NDArray[np.bool_]] = {}
        for spike_input in emulator.inputs:
            self._arrived[spike_input] = np.zeros(spike_input.n_neurons, dtype=bool)
            self._from_inputs[spike_input] = []
        self._from_blocks: dict[tuple[int, int], list[tuple[WeightTable, slice]]] = {}
        for name, table in compiled.tables.items():
            pre, post = compiled.ends[name]
            to = (table, compiled.slices[post])
            if pre in compiled.inputs:
                spike_input = compiled.inputs[pre]
                if not self._add(compartment, self._arrived[spike_input], *to):
                    self._from_inputs[spike_input].append(to)
                continue
            sl = compiled.slices[pre]
            if not self._add(compartment, compartment.spiked[sl], *to):
                self._from_blocks.setdefault((sl.start, sl.stop), []).append(to)
        self._arriving: list[tuple[WeightTable, slice, npt.NDArray[np.intp]]] = []
        if self._in_c:
            self._blocks = (BlockRows * len(self._in_c))(*self._in_c)
            self._function = library().neurorl_chip_add_spiking
            address = ctypes.c_void_p(ctypes.addressof(self._blocks))
            self._arguments = (address, ctypes.c_int64(len(self._in_c)))
        synapses.inject_current = self.inject_current
        synapses.update_input = self.update_input

    def _add(
        self,
        compartment: Any,
        spiked: npt.NDArray[np.bool_],
        table: WeightTable,
        targets: slice,
    ) -> bool:
        """Let C++ add a table's rows, if it can; all of these arrays stay in their place."""
        rows, width = table.data.shape
        if problem() is not None or not width:
            return False
        places = {"spiked": spiked, "table": table.data, "q": compartment.input[0, targets]}
        addresses = {name: pointer(place) for name, place in places.items()}
        if table.layout.index is not None:
            addresses["index"] = pointer(table.layout.index)
        self._in_c.append(BlockRows(rows=rows, width=width, **addresses))
        return True

    def inject_current(
        self,
        t: int,
        spike_inputs: Iterable[SpikeInput],
        all_axons: object,
        spiked: npt.NDArray[np.bool_],
    ) -> None:
        """Note which rows of which tables arrive in step *t*."""
        self._arriving.clear()
        for spike_input, arrived in self._arrived.items():
            arrived[:] = False
            rows: Any = spike_input.spike_idxs(t - 1) if t >= 2 else []
            if len(rows):
                arrived[rows] = True
                self._arriving += [(*to, rows) for to in self._from_inputs[spike_input]]
        self._note_blocks(spiked)

    def _note_blocks(self, spiked: npt.NDArray[np.bool_]) -> None:
        for (start, stop), targets in self._from_blocks.items():
            rows = spiked[start:stop].nonzero()[0]
            if len(rows):
                self._arriving += [(*to, rows) for to in targets]

    def step(
        self,
        emulator: Any,
        update: Callable[[object], None],
        rasters: dict[SpikeInput, Raster],
        row: int,
    ) -> None:
        """A step of *emulator* without its calls for learning, delays and probes, which it hasn't.

        update: of its compartments. rasters: of a window's inputs, of which this is step *row*;
        what arrives in step 0 is still in the inputs themselves.
        """
        emulator.t += 1
        compartment = emulator.compartment
        compartment.input.fill(0)
        if row == 0:
            self.inject_current(emulator.t, emulator.inputs, None, compartment.spiked)
        else:
            self._arriving.clear()
            for spike_input, raster in rasters.items():
                self._arrived[spike_input][:] = raster[row - 1]
                if self._from_inputs[spike_input]:
                    rows = raster[row - 1].nonzero()[0]
                    self._arriving += [(*to, rows) for to in self._from_inputs[spike_input]]
            self._note_blocks(compartment.spiked)
        self.update_input(compartment.input)
        update(None)

    def update_input(self, input: npt.NDArray[np.int32]) -> None:
        """Add them to the compartments' input."""
        for table, sl, rows in self._arriving:
            table.add(rows, input[0, sl])
        if self._in_c:
            self._function(*self._arguments)


class FastCompartments:
    """`update` of one emulator's compartments, for those without the chip's own noise."""

    def __init__(self, compartment: Any) -> None:
        self._c = compartment
        # |x| < 2**24 and a factor of 12 bits: the product is exact in float64, as is its 2**-12th.
        self._current_factor = (4095 - compartment.decay_u) / 4096.0
        self._voltage_factor = (4096 - compartment.decay_v) / 4096.0
        self._has_refractory = bool((compartment.ref > 1).any())
        if problem() is None:
            self._structure = self._make_structure()
            self._function = library().neurorl_chip_update
            self._address = ctypes.c_void_p(ctypes.addressof(self._structure))
            compartment.update = self.update_natively
            return
        self._decayed = np.empty(len(compartment.current))
        self._change = np.empty(len(compartment.current), dtype=np.int32)
        compartment.update = self.update

    def _make_structure(self) -> Compartments:
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

    def update_natively(self, rng: object) -> None:
        """`update` in C++."""
        self._function(self._address)

    def update(self, rng: object) -> None:
        """One step; *rng* would be for the chip's own noise."""
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
    """Let *x* overflow in a register of *bits* and a sign, in place."""
    half = 1 << bits
    x += half
    x &= 2 * half - 1
    x -= half
