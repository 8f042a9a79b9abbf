"""Turn a network of nengo's public API into one of ours, with the integers of nengo-loihi.

nengo-loihi's builder makes its own integers. Divided by `UNIT` they are a description that
`neurorl.arithmetic.quantiser` turns into the same integers again, so both simulators run one
network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nengo
import nengo_loihi
import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import VOLTAGE_MAX, quantise, weight_integers
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source

Raster = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Ends = tuple[str, str, int]  # names of sender and receiver, and which of the sender's axons

DT = 1e-3
UNIT = 2.0**13
_FOREVER = 1e9  # seconds: a membrane that keeps all


@dataclass
class Played:
    """Hold nengo-loihi's spikes and voltages of blocks, and input spikes, by step."""

    spikes: dict[str, Raster]
    voltages: dict[str, Integers]
    inputs: dict[str, Raster]


def deepen(network: nengo.Network) -> None:
    """Give LIF ensembles the chip's lowest voltage, which is ours; nengo's lowest is 0.

    How low that is in nengo's units follows from how the builder scales the network.
    """
    with nengo_loihi.Simulator(network, dt=DT, target="sim") as simulator:
        model = simulator.model
    for ensemble in network.all_ensembles:
        if isinstance(ensemble.neuron_type, nengo.LIF):
            (block,) = model.objs[ensemble]["out"]
            lowest = -VOLTAGE_MAX / block.compartment.discretize_info["v_scale"]
            lif = ensemble.neuron_type
            ensemble.neuron_type = type(lif)(lif.tau_rc, lif.tau_ref, min_voltage=lowest)


def names(model: Any) -> dict[Any, str]:
    """Return our name for each block and each input of a nengo-loihi model."""
    blocks = {block: f"block{k}" for k, block in enumerate(model.blocks)}
    return {**blocks, **{source: f"input{k}" for k, source in enumerate(model.inputs)}}


def described(model: Any) -> Network:
    """Return the network of a built and discretised nengo-loihi *model*."""
    name = names(model)
    sources = [Source(name[source], source.n_neurons) for source in model.inputs]
    populations = [_population(block, name[block]) for block in model.blocks]
    tables = _tables(model, name)
    projections = [
        Projection(_joined(ends), ends[0], ends[1], table / UNIT) for ends, table in tables.items()
    ]
    return Network((*sources, *populations), tuple(projections), DT)


def _population(block: Any, name: str) -> Population:
    c = block.compartment
    floor_is_ours = c.vmin == -VOLTAGE_MAX
    inputs_are_positive = (c.bias >= 0).all() and all(
        (w >= 0).all() for synapse in block.synapses for w in synapse.weights
    )
    assert floor_is_ours or inputs_are_positive, f"{name} may reach a voltage floor of its own"
    neuron = CubaLIF(
        tau_syn=_tau(4095 - c.decay_u),
        tau_mem=_tau(4096 - c.decay_v),
        threshold=c.vth / UNIT,
        bias=c.bias / UNIT,
        refractory=(np.maximum(c.refract_delay, 1) - 1) * DT,
    )
    return Population(name, block.n_neurons, neuron)


def _tau(kept: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the time constant after which ``kept / 4096`` is left of a step."""
    share = np.asarray(kept, dtype=np.float64) / 4096
    with np.errstate(divide="ignore"):
        tau = DT / np.abs(np.log(share))
    return np.asarray(np.where(share > 0, np.minimum(tau, _FOREVER), 0.0))


def _joined(ends: Ends) -> str:
    pre, post, k = ends
    return f"{pre}_{post}_{k}"


def _tables(model: Any, name: dict[Any, str]) -> dict[Ends, Integers]:
    """Return what each spike of one part transmits to another, from axons and synapses."""
    owner = {synapse: block for block in model.blocks for synapse in block.synapses}
    tables: dict[Ends, Integers] = {}
    for sender in [*model.inputs, *model.blocks]:
        for k, axon in enumerate(sender.axons):
            target = owner[axon.target]
            table = np.zeros((sender.n_neurons, target.n_neurons), dtype=np.int64)
            for i in range(sender.n_neurons):
                for spike in axon.map_spikes([i]):
                    base = None
                    if spike is not None:
                        base = axon.target.axon_compartment_base(spike.axon_idx)
                    if base is not None:
                        weights, indices = axon.target.axon_weights_indices(
                            spike.axon_idx, atom=spike.atom
                        )
                        np.add.at(table[i], base + np.asarray(indices), weights)
            tables[name[sender], name[target], k] = table
    return {ends: table for ends, table in tables.items() if table.any()}


def check_integers(model: Any, network: Network) -> None:
    """Assert that *network* has, in chip arithmetic, every integer of *model*."""
    chip, name = quantise(network), names(model)
    for block in model.blocks:
        theirs, ours = block.compartment, chip.populations[name[block]]
        for kind, mine in {
            "decay_u": ours.current_decay,
            "decay_v": ours.voltage_decay,
            "vth": ours.threshold,
            "bias": ours.bias,
        }.items():
            assert np.array_equal(getattr(theirs, kind), mine), (name[block], kind)
        assert np.array_equal(np.maximum(theirs.refract_delay, 1), ours.refractory)
    tables = {_joined(ends): table for ends, table in _tables(model, name).items()}
    for projection in network.projections:
        scaled = chip.projections[projection.name]
        mantissa = weight_integers(scaled, np.asarray(projection.weights))
        transmitted = mantissa * 2.0 ** (6 + scaled.exponent)
        assert np.array_equal(tables[projection.name], transmitted), projection.name


def play(simulator: nengo_loihi.Simulator, steps: int) -> Played:
    """Run nengo-loihi's simulator step by step, and note what it does."""
    model, emulator = simulator.model, simulator.sims["emulator"]
    name = names(model)
    inputs = {name[s]: np.zeros((steps, s.n_neurons), dtype=bool) for s in model.inputs}
    for source in model.inputs:
        _note(source, inputs[name[source]])
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


def _note(source: Any, raster: Raster) -> None:
    """Let every spike that the host puts into *source* be seen in *raster* too."""
    stock = source.add_spikes

    def add_spikes(ti: int, spike_idxs: Any, permanent: bool = False) -> None:
        if ti <= len(raster):  # the spikes of step ti arrive in the one after
            raster[int(ti) - 1, spike_idxs] = True
        stock(ti, spike_idxs, permanent)

    source.add_spikes = add_spikes
