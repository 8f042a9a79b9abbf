"""Translate a description and its chip integers into nengo-loihi's `Model`.

The model has blocks, synapses, axons and spike inputs. There is no `nengo.Network`, and nothing is
discretized here: every integer comes from `neurorl.arithmetic.quantiser`, so that all simulators
run the same ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import THRESHOLD_MAX, VOLTAGE_MAX, ChipPopulation
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.checks import learned_populations
from neurorl.backends.loihi.pes import ERROR_SCALE, LearningTable
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
from neurorl.errors import UnsupportedError
from neurorl.numerics.arrays import Array, FloatArray, Int32Array

Places = slice | npt.NDArray[np.intp]
Senders = list[tuple[slice, SpikeInput | LoihiBlock]]
"""Pair the presynaptic neurons on each core, ascending, with its block; all of a source's with its
spike input."""

_NO_NOISE_EXPONENT = 7  # for blocks without the chip's own noise; keeps its register in range
_NO_AXON = -1  # nengo-loihi's entry for a compartment that sends no spike over an axon


@dataclass(frozen=True)
class ChipModel:
    """Hold a `Model` and, by name, the parts of it that are needed later.

    model: the model that nengo-loihi runs.
    inputs: the spike input of each source of spikes.
    blocks: by population, one block for each of its cores.
    tables: the weights of each projection of spikes.
    chip: the integers of each population.
    slices: by population, the indices of its compartments among all compartments, on all its cores;
        an index array where silent twins lie between them, else a slice.
    """

    model: Model
    inputs: dict[str, SpikeInput]
    blocks: dict[str, tuple[LoihiBlock, ...]]
    tables: dict[str, WeightTable]
    chip: dict[str, ChipPopulation]
    slices: dict[str, Places]


def compile_network(
    arithmetic: ChipArithmetic,
    rounded: dict[str, FloatArray],
    placement: Placement,
    pes: float | None = None,
    memory: Mapping[str, Int32Array] = {},
) -> ChipModel:
    """Compile the model of ``arithmetic.network`` with the given weights.

    arithmetic: the network and its chip integers. rounded: effective weights of every projection,
    in the description's units. placement: which neurons go to which core. pes: what a spike adds to
    its trace, for plastic projections that learn on the chip; None if nothing learns there.
    memory: by projection, where the weights are to lie that don't learn there, as in `WeightTable`.

    Raises UnsupportedError if nengo-loihi's own check refuses the model.
    """
    network = arithmetic.network
    chip = arithmetic.chip
    learned = frozenset() if pes is None else learned_populations(network)
    model = Model(dt=network.dt)
    model.pes_error_scale = ERROR_SCALE
    inputs = {s.name: SpikeInput(s.size, label=s.name) for s in network.spiking.sources}
    for spike_input in inputs.values():
        model.add_input(spike_input)
    senders: dict[str, Senders] = {x: [(slice(0, i.n_neurons), i)] for x, i in inputs.items()}
    blocks = {}
    for population in network.populations:
        integers = chip.populations[population.name]
        bias = arithmetic.bias(population.name, rounded)
        parts = placement.cores[population.name]
        is_learned = population.name in learned
        blocks[population.name] = tuple(_block(integers, bias, part, is_learned) for part in parts)
        senders[population.name] = [*zip(parts, blocks[population.name], strict=True)]
        for block in blocks[population.name]:
            model.add_block(block)
    tables: dict[str, WeightTable] = {}
    table: WeightTable
    for p in network.spiking.projections:
        layout, exponent = placement.layouts[p.name], chip.projections[p.name].exponent
        if pes is None or p.plasticity is None:
            table = WeightTable(p.name, layout, exponent, memory.get(p.name))
        else:
            table = LearningTable(network, p, layout, exponent, pes)
        tables[p.name] = table
        for share, block in zip(placement.shares(p.name, p.post), blocks[p.post], strict=True):
            _connect(table, share, senders[p.pre], block)
        table.write(arithmetic.mantissa(p.name, rounded[p.name]))
    try:
        validate_model(model)
    except (BuildError, AssertionError) as exc:
        raise UnsupportedError("backend loihi", f"nengo-loihi refuses the network: {exc}") from exc
    slices: dict[str, Places] = {}
    end = 0
    for name, cores in blocks.items():
        sizes = [block.n_neurons for block in cores]
        starts = itertools.accumulate(sizes[:-1], initial=end)
        ranges = zip(starts, placement.cores[name], strict=True)
        places = np.concatenate([np.arange(a, a + x.stop - x.start) for a, x in ranges])
        first, last = int(places[0]), int(places[-1]) + 1
        slices[name] = slice(first, last) if last - first == len(places) else places
        end += sum(sizes)
    return ChipModel(model, inputs, blocks, tables, chip.populations, slices)


def _block(chip: ChipPopulation, bias: Array, part: slice, is_learned: bool) -> LoihiBlock:
    """Return the block of one core: its neurons, followed by their silent twins if the core learns.

    chip, bias: integers of all neurons. part: those on this core. is_learned: whether it learns,
    see `neurorl.backends.loihi.pes`.
    """
    size = part.stop - part.start
    block = LoihiBlock((1 + is_learned) * size, label=f"{chip.name}[{part.start}:{part.stop}]")

    def all_of(values: Array, twins: int | None = None) -> Int32Array:
        """Return the values of the core's neurons, then *twins* for each twin (None: the same)."""
        own = values[part]
        others = own if twins is None else np.full(size, twins)
        return np.asarray(np.concatenate([own, others][: 1 + is_learned]), dtype=np.int32)

    compartment = block.compartment
    compartment.decay_u = all_of(chip.current_decay)
    compartment.decay_v = all_of(chip.voltage_decay)
    compartment.vth = all_of(chip.threshold, THRESHOLD_MAX)
    compartment.bias = all_of(bias, 0)
    compartment.refract_delay = all_of(chip.refractory)
    compartment.vmin, compartment.vmax = -VOLTAGE_MAX, VOLTAGE_MAX
    # The emulator asserts that models of integers aren't scaled by their decays.
    compartment.scale_u = compartment.scale_v = False
    compartment.noise_exp = chip.noise_exponent or _NO_NOISE_EXPONENT
    compartment.enable_noise = all_of(chip.noise_step > 0, 0).astype(bool)
    compartment.noise_at_membrane = int(chip.noise_exponent > 0)
    return block


def _connect(table: WeightTable, share: Share, senders: Senders, block: LoihiBlock) -> None:
    """Add synapses to a core, and an axon for each row of them from the core that holds its neuron.

    table: the projection's weights.
    share: the part of the table for this core.
    block: the postsynaptic core.
    """
    if not len(share.rows):
        return
    synapse = table.synapse(share)
    block.add_synapse(synapse)
    axons = np.full(table.layout.rows, _NO_AXON)
    axons[share.rows] = np.arange(len(share.rows))
    starts = [part.start for part, _ in senders]
    places = np.searchsorted(starts, share.rows, side="right") - 1
    owners, counts = np.unique(places, return_counts=True)
    for k, count in zip(owners.tolist(), counts.tolist(), strict=True):
        part, sender = senders[k]
        axon = Axon(count, label=table.name)
        axon.target = synapse
        axon_map = np.full(sender.n_neurons, _NO_AXON)  # silent twins keep this
        axon_map[: part.stop - part.start] = axons[part]
        axon.set_compartment_axon_map(axon_map)
        sender.add_axon(axon)
