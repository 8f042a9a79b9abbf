"""Run many steps of the emulator in one call of C++, equal in every bit.

It joins the loops of `accelerate` and `fast_pes` in ``neurorl_chip_run``, which is in
``backends/loihi/src/emulator.h``. It can't run the chip's own noise, whose draws are made step by
step.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.accelerate import FastCompartments, FastSynapses
from neurorl.backends.loihi.fast_pes import FastLearning
from neurorl.backends.loihi.native import Arrivals, Emulator, Gathered, library
from neurorl.backends.loihi.vendor import SpikeInput
from neurorl.backends.window import Raster
from neurorl.native.structures import pointer

__all__ = ["FastWindow"]


class FastWindow:
    """Run steps of one emulator whose loops have been replaced by those in C++.

    emulator: the `EmulatorInterface`.
    synapses, compartments, learning: its replaced loops; *learning* is None if nothing learns.
    """

    def __init__(
        self,
        emulator: Any,
        synapses: FastSynapses,
        compartments: FastCompartments,
        learning: FastLearning | None,
    ) -> None:
        self._emulator, self._synapses = emulator, synapses
        self._kept = (compartments, learning)  # C++ uses their memory, so they must stay alive
        self._inputs = list(synapses.inputs.items())
        self._arrivals = (Arrivals * max(1, len(self._inputs)))()
        for place, (_, arrived) in zip(self._arrivals, self._inputs, strict=False):
            place.arrived, place.n = pointer(arrived), len(arrived)
        gathered = [
            Gathered(places=pointer(places), arrived=pointer(arrived), n=len(places))
            for places, arrived in synapses.gathered
        ]
        self._gathered = (Gathered * max(1, len(gathered)))(*gathered)
        blocks, n_blocks = synapses.structures
        self._structure = Emulator(
            arrivals=ctypes.addressof(self._arrivals),
            gathered=ctypes.addressof(self._gathered),
            blocks=blocks,
            compartments=compartments.structure,
            n_inputs=len(self._inputs),
            n_gathered=len(gathered),
            n_blocks=n_blocks,
        )
        if learning is not None:
            parts, n_parts, generator, n_noise = learning.structures
            self._structure.parts, self._structure.n_parts = parts, n_parts
            self._structure.generator, self._structure.n_noise = generator, n_noise
        self._size = len(emulator.compartment.vth)
        self._address = ctypes.addressof(self._structure)
        self._function = library().neurorl_chip_run

    def run(
        self,
        rasters: Mapping[SpikeInput, Raster],
        first: int,
        spikes: Raster,
        thresholds: npt.NDArray[np.int32] | None,
    ) -> None:
        """Make a step for each row of *spikes*, and fill it with the spikes of all compartments.

        rasters: rasters of a whole window, contiguous, by spike input.
        first: the row of *rasters* at which these steps begin.
        spikes: booleans ``(steps, compartments)``; overwritten.
        thresholds: thresholds of each step ``(steps or more, compartments)``; None leaves them as
            they are.
        """
        emulator, n_steps = self._emulator, len(spikes)
        if first == 0:  # what arrives in the first step is the last row of the window before
            self._synapses.inject_current(emulator.t + 1, emulator.inputs, None, None)
        for place, (spike_input, arrived) in zip(self._arrivals, self._inputs, strict=False):
            raster = rasters[spike_input]
            if first:
                arrived[:] = raster[first - 1]
            place.raster = pointer(raster) + first * raster.shape[1]
        rows = None if thresholds is None else pointer(thresholds)
        self._function(self._address, emulator.t, n_steps, rows, pointer(spikes))
        emulator.t += n_steps
