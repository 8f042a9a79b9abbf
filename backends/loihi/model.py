"""From a description and its integers to nengo-loihi's `Model`: blocks, synapses, axons, inputs.

There is no `nengo.Network` and nothing is discretized here: every integer comes from
`neurorl.quantiser`, so that all simulators run the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.loihi.placement import Placement
from neurorl.backends.loihi.synapses import Share, WeightTable
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

    blocks: of each population, one for each of its cores. ends: nodes of each table's projection.
    chip: the integers of each population. slices: where its compartments are among all, those of
    all its cores. currents: names of the sources of currents, which are no part of the model.
    """

    model: Model
    inputs: dict[str, SpikeInput]
    blocks: dict[str, tuple[LoihiBlock, ...]]
    tables: dict[str, WeightTable]
    ends: dict[str, tuple[str, str]]
    chip: dict[str, ChipPopulation]
    slices: dict[str, slice]
    currents: frozenset[str] = frozenset()


def compile_network(
    arithmetic: ChipArithmetic, rounded: dict[str, FloatArray], placement: Placement
) -> Compiled:
    """The model of ``arithmetic.network`` with the weights in force.

    Raises UnsupportedError for what nengo-loihi's own check refuses.
    """
    network = arithmetic.network
    chip = arithmetic.chip
    model = Model(dt=network.dt)
    inputs = {s.name: SpikeInput(s.size, label=s.name) for s in network.spiking.sources}
    for spike_input in inputs.values():
        model.add_input(spike_input)
    blocks = {}
    for population in network.populations:
        integers = chip.populations[population.name]
        bias = arithmetic.bias(population.name, rounded)
        parts = placement.cores[population.name]
        blocks[population.name] = tuple(_block(integers, bias, part) for part in parts)
        for block in blocks[population.name]:
            model.add_block(block)
    tables: dict[str, WeightTable] = {}
    for p in network.spiking.projections:
        table = WeightTable(p.name, placement.layouts[p.name], chip.projections[p.name].exponent)
        table.write(arithmetic.mantissa(p.name, rounded[p.name]))
        tables[p.name] = table
        whole = slice(0, network.node(p.pre).size)
        senders: list[tuple[slice, SpikeInput | LoihiBlock]] = (
            [(whole, inputs[p.pre])]
            if p.pre in inputs
            else list(zip(placement.cores[p.pre], blocks[p.pre], strict=True))
        )
        for share, block in zip(placement.shares(p.name, p.post), blocks[p.post], strict=True):
            _connect(table, share, senders, block)
    _validate(model)
    ends = np.cumsum([p.size for p in network.populations]).tolist()
    return Compiled(
        model=model,
        inputs=inputs,
        blocks=blocks,
        tables=tables,
        ends={p.name: (p.pre, p.post) for p in network.spiking.projections},
        chip=dict(chip.populations),
        slices={
            p.name: slice(end - p.size, end)
            for p, end in zip(network.populations, ends, strict=True)
        },
        currents=network.currents,
    )


def _block(chip: ChipPopulation, bias: npt.NDArray[np.generic], part: slice) -> LoihiBlock:
    block = LoihiBlock(part.stop - part.start, label=f"{chip.name}[{part.start}:{part.stop}]")
    compartment = block.compartment
    compartment.decay_u = chip.current_decay[part].astype(np.int32)
    compartment.decay_v = chip.voltage_decay[part].astype(np.int32)
    compartment.vth = chip.threshold[part].astype(np.int32)
    compartment.bias = bias[part].astype(np.int32)
    compartment.refract_delay = chip.refractory[part].astype(np.int32)
    compartment.vmin, compartment.vmax = -VOLTAGE_MAX, VOLTAGE_MAX
    compartment.scale_u = compartment.scale_v = False
    compartment.noise_exp = _NO_NOISE_EXPONENT
    return block


def _connect(
    table: WeightTable,
    share: Share,
    senders: list[tuple[slice, SpikeInput | LoihiBlock]],
    block: LoihiBlock,
) -> None:
    """Synapses onto a core, and an axon for each row of them from the core that has its neuron."""
    if not len(share.rows):
        return
    synapse = table.synapse(share)
    block.add_synapse(synapse)
    axons = np.full(table.layout.rows, -1)
    axons[share.rows] = np.arange(len(share.rows))
    starts = [part.start for part, _ in senders]
    owners, counts = np.unique(
        np.searchsorted(starts, share.rows, side="right") - 1, return_counts=True
    )
    for k, count in zip(owners.tolist(), counts.tolist(), strict=True):
        part, sender = senders[k]
        axon = Axon(count, label=table.name)
        axon.target = synapse
        axon.set_compartment_axon_map(axons[part])
        sender.add_axon(axon)


def _validate(model: Model) -> None:
    try:
        validate_model(model)
    except (BuildError, AssertionError) as exc:
        raise UnsupportedError(
            say("backend loihi", f"nengo-loihi refuses the network: {exc}")
        ) from exc
