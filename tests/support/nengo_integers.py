"""Play networks of nengo's public API on nengo-loihi's simulator, and note what it does."""

from __future__ import annotations

from dataclasses import dataclass

import nengo_loihi
import numpy as np
import numpy.typing as npt

from neurorl.nengo.chip import name_parts, note_spikes

Raster = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass
class Played:
    """Hold nengo-loihi's spikes and voltages of blocks, and input spikes, by step."""

    spikes: dict[str, Raster]
    voltages: dict[str, Integers]
    inputs: dict[str, Raster]


def play(simulator: nengo_loihi.Simulator, steps: int) -> Played:
    """Run nengo-loihi's simulator step by step, and note what it does."""
    model, emulator = simulator.model, simulator.sims["emulator"]
    name = name_parts(model)
    inputs = {name[s]: np.zeros((steps, s.n_neurons), dtype=bool) for s in model.inputs}
    for source in model.inputs:
        note_spikes(source, inputs[name[source]])
    spikes = np.empty((steps, emulator.compartment.spiked.size), dtype=bool)
    voltages = np.empty(spikes.shape, dtype=np.int64)
    for k in range(steps):
        simulator.step()
        spikes[k], voltages[k] = emulator.compartment.spiked, emulator.compartment.voltage
    places = emulator.block_info.slices
    return Played(
        {name[block]: spikes[:, places[block]] for block in model.blocks},
        {name[block]: voltages[:, places[block]] for block in model.blocks},
        inputs,
    )
