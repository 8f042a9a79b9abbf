"""From a description and its integers to nengo-loihi's `Model`: blocks, synapses, axons, inputs.

There is no `nengo.Network` and nothing is discretized here: every integer comes from
`neurorl.quantiser`, so that all simulators run the same ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.loihi.learning_tables import LearningTable
from neurorl.backends.loihi.pes import ERROR_SCALE, learned_populations
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
from neurorl.quantiser import THRESHOLD_MAX, VOLTAGE_MAX, ChipPopulation

__all__ = ["Compiled", "Places", "compile_network"]

Places = slice | npt.NDArray[np.intp]

_NO_NOISE_EXPONENT = 7  # without the chip's own noise; keeps its register in range
_NO_AXON = -1


@dataclass(frozen=True)
class Compiled:
    """A `Model` and, by name, the parts of it that are used again.

    blocks: of each population, one for each of its cores. ends: nodes of each table's projection.
    chip: the integers of each population. slices: where its compartments are among all, those of
    all its cores; numbers if silent twins lie between. starts: where the compartments of each of
    its cores begin. currents: names of the sources of currents, which are no part of the model.
    """

    model: Model
    inputs: dict[str, SpikeInput]
    blocks: dict[str, tuple[LoihiBlock, ...]]
    tables: dict[str, WeightTable]
    ends: dict[str, tuple[str, str]]
    chip: dict[str, ChipPopulation]
    slices: dict[str, Places]
    starts: dict[str, tuple[int, ...]]
    currents: frozenset[str] = frozenset()


def compile_network(
    arithmetic: ChipArithmetic,
    rounded: dict[str, FloatArray],
    placement: Placement,
    pes: float | None = None,
) -> Compiled:
    """The model of ``arithmetic.network`` with the weights in force.

    pes: what a spike adds to its trace where plastic projections learn on the chip; None if not.
    Raises UnsupportedError for what nengo-loihi's own check refuses.
    """
    network = arithmetic.network
    chip = arithmetic.chip
    learned = frozenset() if pes is None else learned_populations(network)
    model = Model(dt=network.dt)
    model.pes_error_scale = ERROR_SCALE
    inputs = {s.name: SpikeInput(s.size, label=s.name) for s in network.spiking.sources}
    for spike_input in inputs.values():
        model.add_input(spike_input)
    blocks = {}
    for population in network.populations:
        integers = chip.populations[population.name]
        bias = arithmetic.bias(population.name, rounded)
        parts = placement.cores[population.name]
        is_learned = population.name in learned
        blocks[population.name] = tuple(_block(integers, bias, part, is_learned) for part in parts)
        for block in blocks[population.name]:
            model.add_block(block)
    tables: dict[str, WeightTable] = {}
    table: WeightTable
    for p in network.spiking.projections:
        exponent = chip.projections[p.name].exponent
        if pes is None or p.plasticity is None:
            table = WeightTable(p.name, placement.layouts[p.name], exponent)
        else:
            table = LearningTable(network, p, placement.layouts[p.name], exponent, pes)
        tables[p.name] = table
        whole = slice(0, network.node(p.pre).size)
        senders: list[tuple[slice, SpikeInput | LoihiBlock]] = (
            [(whole, inputs[p.pre])]
            if p.pre in inputs
            else list(zip(placement.cores[p.pre], blocks[p.pre], strict=True))
        )
        for share, block in zip(placement.shares(p.name, p.post), blocks[p.post], strict=True):
            _connect(table, share, senders, block)
        table.write(arithmetic.mantissa(p.name, rounded[p.name]))
    _validate(model)
    starts = _starts(blocks)
    return Compiled(
        model=model,
        inputs=inputs,
        blocks=blocks,
        tables=tables,
        ends={p.name: (p.pre, p.post) for p in network.spiking.projections},
        chip=dict(chip.populations),
        slices={name: _places(starts[name], parts) for name, parts in placement.cores.items()},
        starts=starts,
        currents=network.currents,
    )


def _starts(blocks: dict[str, tuple[LoihiBlock, ...]]) -> dict[str, tuple[int, ...]]:
    starts, end = {}, 0
    for name, cores in blocks.items():
        sizes = [block.n_neurons for block in cores]
        starts[name] = tuple(itertools.accumulate(sizes[:-1], initial=end))
        end += sum(sizes)
    return starts


def _places(starts: tuple[int, ...], parts: tuple[slice, ...]) -> Places:
    """Where the compartments of *parts* of a population are, which begin at *starts*."""
    found = [np.arange(a, a + p.stop - p.start) for a, p in zip(starts, parts, strict=True)]
    places = np.concatenate(found)
    first, last = int(places[0]), int(places[-1]) + 1
    return slice(first, last) if last - first == len(places) else places


def _block(
    chip: ChipPopulation, bias: npt.NDArray[np.generic], part: slice, is_learned: bool
) -> LoihiBlock:
    """The neurons of one core, and their silent twins if the core learns."""
    size = part.stop - part.start
    block = LoihiBlock((1 + is_learned) * size, label=f"{chip.name}[{part.start}:{part.stop}]")

    def all_of(values: npt.NDArray[Any], twins: int | None = None) -> npt.NDArray[np.int32]:
        mine = values[part]
        others = mine if twins is None else np.full(size, twins)
        return np.asarray(np.concatenate([mine, others][: 1 + is_learned]), dtype=np.int32)

    compartment = block.compartment
    compartment.decay_u = all_of(chip.current_decay)
    compartment.decay_v = all_of(chip.voltage_decay)
    compartment.vth = all_of(chip.threshold, THRESHOLD_MAX)
    compartment.bias = all_of(bias, 0)
    compartment.refract_delay = all_of(chip.refractory)
    compartment.vmin, compartment.vmax = -VOLTAGE_MAX, VOLTAGE_MAX
    compartment.scale_u = compartment.scale_v = False
    compartment.noise_exp = chip.noise_exponent or _NO_NOISE_EXPONENT
    compartment.enable_noise = all_of(chip.noise_step > 0, 0).astype(bool)
    compartment.noise_at_membrane = int(chip.noise_exponent > 0)
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
    axons = np.full(table.layout.rows, _NO_AXON)
    axons[share.rows] = np.arange(len(share.rows))
    starts = [part.start for part, _ in senders]
    owners, counts = np.unique(
        np.searchsorted(starts, share.rows, side="right") - 1, return_counts=True
    )
    for k, count in zip(owners.tolist(), counts.tolist(), strict=True):
        part, sender = senders[k]
        axon = Axon(count, label=table.name)
        axon.target = synapse
        mine = np.full(sender.n_neurons, _NO_AXON)  # none of silent twins
        mine[: part.stop - part.start] = axons[part]
        axon.set_compartment_axon_map(mine)
        sender.add_axon(axon)


def _validate(model: Model) -> None:
    try:
        validate_model(model)
    except (BuildError, AssertionError) as exc:
        raise UnsupportedError(
            say("backend loihi", f"nengo-loihi refuses the network: {exc}")
        ) from exc
