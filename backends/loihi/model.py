"""From a description and its integers to nengo-loihi's `Model`: blocks, synapses, axons, inputs.

There is no `nengo.Network` and nothing is discretized here: every integer comes from
`neurorl.quantiser`, so that all simulators run the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.loihi.synapses import Layout, WeightTable
from neurorl.backends.loihi.vendor import (
    Axon,
    BuildError,
    LoihiBlock,
    Model,
    SpikeInput,
    validate_model,
)
from neurorl.described import FloatArray
from neurorl.errors import UnsupportedError, say
from neurorl.quantiser import VOLTAGE_MAX, ChipPopulation

__all__ = ["Compiled", "compile_network"]

_NO_NOISE_EXPONENT = 7  # the chip's own uniform noise is off; 7 keeps its register in range


@dataclass(frozen=True)
class Compiled:
    """A `Model` and, by name, the parts of it that are used again.

    chip: the integers of each population. slices: where its compartments are among all. currents:
    names of the sources of currents, which are no part of the model.
    """

    model: Model
    inputs: dict[str, SpikeInput]
    blocks: dict[str, LoihiBlock]
    tables: dict[str, WeightTable]
    chip: dict[str, ChipPopulation]
    slices: dict[str, slice]
    currents: frozenset[str] = frozenset()


def compile_network(arithmetic: ChipArithmetic, rounded: dict[str, FloatArray]) -> Compiled:
    """The model of ``arithmetic.network`` with the weights in force.

    Raises UnsupportedError for what nengo-loihi's own check refuses.
    """
    network = arithmetic.network
    chip = arithmetic.chip
    inputs = {s.name: SpikeInput(s.size, label=s.name) for s in network.spiking.sources}
    blocks = {
        p.name: _block(chip.populations[p.name], arithmetic.bias(p.name, rounded))
        for p in network.populations
    }
    tables: dict[str, WeightTable] = {}
    for p in network.spiking.projections:
        table = WeightTable(p.name, Layout.of(network, p), chip.projections[p.name].exponent)
        table.write(arithmetic.mantissa(p.name, rounded[p.name]))
        blocks[p.post].add_synapse(table.synapse)
        (inputs.get(p.pre) or blocks[p.pre]).add_axon(_axon(p.name, table))
        tables[p.name] = table
    model = Model(dt=network.dt)
    for spike_input in inputs.values():
        model.add_input(spike_input)
    for block in blocks.values():
        model.add_block(block)
    _validate(model)
    ends = np.cumsum([p.size for p in network.populations]).tolist()
    slices = {
        p.name: slice(end - p.size, end) for p, end in zip(network.populations, ends, strict=True)
    }
    return Compiled(model, inputs, blocks, tables, dict(chip.populations), slices, network.currents)


def _block(chip: ChipPopulation, bias: npt.NDArray[np.generic]) -> LoihiBlock:
    block = LoihiBlock(len(chip.threshold), label=chip.name)
    compartment = block.compartment
    compartment.decay_u = chip.current_decay.astype(np.int32)
    compartment.decay_v = chip.voltage_decay.astype(np.int32)
    compartment.vth = chip.threshold.astype(np.int32)
    compartment.bias = bias.astype(np.int32)
    compartment.refract_delay = chip.refractory.astype(np.int32)
    compartment.vmin, compartment.vmax = -VOLTAGE_MAX, VOLTAGE_MAX
    compartment.scale_u = compartment.scale_v = False
    compartment.noise_exp = _NO_NOISE_EXPONENT
    return block


def _axon(name: str, table: WeightTable) -> Axon:
    axon = Axon(table.layout.rows, label=name)
    axon.target = table.synapse
    axon.set_compartment_axon_map(np.arange(table.layout.rows))
    return axon


def _validate(model: Model) -> None:
    try:
        validate_model(model)
    except (BuildError, AssertionError) as exc:
        raise UnsupportedError(
            say("backend loihi", f"nengo-loihi refuses the network: {exc}")
        ) from exc
