"""Describe the network that nengo-loihi's builder made, with the same integers.

Its thresholds, biases, decays and weights are integers of the chip. Divided by `UNIT` they make a
description that `neurorl.arithmetic.quantiser` turns back into the same integers.
"""

from __future__ import annotations

import warnings

import numpy as np

from neurorl.arithmetic.quantiser import VOLTAGE_MAX, quantise, weight_integers
from neurorl.errors import UnsupportedError
from neurorl.models import CubaLIF, InChipUnits
from neurorl.nengo.imported import (
    Imported,
    NengoObject,
    Rasters,
    load_nengo,
    load_nengo_loihi,
    probed,
)
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.numerics.arrays import Array, BoolArray, FloatArray, IntArray

Link = tuple[str, str, IntArray]  # sender's and receiver's names, and what a spike transmits

UNIT = 2.0**13
_PASS_ON = (
    "let an ensemble of nengo.SpikingRectifiedLinear on the host (gain 1, bias 0) pass them on, as "
    "to_nengo(..., neurons='nengo') does"
)
_FOREVER = 1e9  # seconds: no leak


def lower_floors(network: NengoObject, dt: float = 1e-3) -> None:
    """Give the LIF ensembles of a nengo network the chip's lowest voltage, in place.

    nengo's own is 0. The chip's, in nengo's units, follows from how nengo-loihi's builder scales an
    ensemble, so the network is built to find it.
    """
    nengo = load_nengo()
    with simulator_of(network, dt) as simulator:
        model = simulator.model
    for ensemble in network.all_ensembles:
        lif = ensemble.neuron_type
        if not isinstance(lif, nengo.LIF) or ensemble not in model.objs:
            continue
        floor = -VOLTAGE_MAX / model.objs[ensemble]["out"][0].compartment.discretize_info["v_scale"]
        more = {"min_voltage": floor, "amplitude": lif.amplitude}
        ensemble.neuron_type = type(lif)(lif.tau_rc, lif.tau_ref, **more)


def simulator_of(network: NengoObject, dt: float) -> NengoObject:
    """Return nengo-loihi's simulator of a network, on its emulator."""
    nengo_loihi = load_nengo_loihi()
    with warnings.catch_warnings(action="ignore"):  # about voltages, lost bits, and nan
        return nengo_loihi.Simulator(network, dt=dt, target="sim", progress_bar=False)


def import_integers(network: NengoObject, dt: float) -> Imported:
    """Return the description of *network* as nengo-loihi builds it; see `from_nengo`."""
    with simulator_of(network, dt) as simulator:
        model, names = simulator.model, name_parts(simulator.model)
    description = describe_model(model)
    populations = {}
    for nengo_object, parts in model.objs.items():
        out = parts.get("out")
        if isinstance(out, (list, tuple)) and set(out) <= {*model.blocks}:
            populations[nengo_object] = tuple(names[block] for block in out)
    return Imported(
        network=description,
        populations=populations,
        sources={names[source]: source for source in model.inputs},
        notes=("every number is the chip's: run it with arithmetic='loihi'",),
        probes=probed(network, populations),
        play=lambda n_steps: _inputs(network, dt, n_steps),
    )


def _inputs(network: NengoObject, dt: float, n_steps: int) -> Rasters:
    """Return the spikes that the host sends to the chip in a run by nengo-loihi."""
    with simulator_of(network, dt) as simulator:
        names = name_parts(simulator.model)
        rasters = {}
        for source in simulator.model.inputs:
            rasters[names[source]] = np.zeros((n_steps, source.n_neurons), dtype=bool)
            note_spikes(source, rasters[names[source]])
        largest: dict[NengoObject, float] = {}
        for _ in range(n_steps):
            with warnings.catch_warnings(action="ignore"):
                simulator.run_steps(1)
            _note_values(simulator, largest)
    for node, value in largest.items():
        if value >= 0.5 / dt:
            what = "a Node's spikes, of which nengo-loihi passes on only values from -1 to 1"
            raise UnsupportedError(f"from_nengo, {node}", what, got=value, remedy=_PASS_ON)
    return rasters


def _note_values(simulator: NengoObject, largest: dict[NengoObject, float]) -> None:
    """Note the largest value of each Node that neurons of the host decode for the chip."""
    node_type = load_nengo().Node
    hosts = [simulator.sims[name] for name in ("host_pre", "host") if name in simulator.sims]
    nodes = {connection.pre_obj for connection in simulator.model.connection_decode_neurons}
    for node in (node for node in nodes if isinstance(node, node_type)):
        for host in (host for host in hosts if "out" in host.model.sig[node]):
            value = float(np.abs(host.signals[host.model.sig[node]["out"]]).max())
            largest[node] = max(largest.get(node, 0.0), value)


def note_spikes(source: NengoObject, raster: BoolArray) -> None:
    """Write every spike that the host puts into *source* to *raster* too."""
    stock = source.add_spikes

    def add_spikes(ti: int, spike_idxs: NengoObject, permanent: bool = False) -> None:
        if 0 < ti <= len(raster):  # the spikes of step ti arrive in the one after
            raster[int(ti) - 1, spike_idxs] = True
        stock(ti, spike_idxs, permanent)

    source.add_spikes = add_spikes


def name_parts(model: NengoObject) -> dict[NengoObject, str]:
    """Return our name for each block and each input of a nengo-loihi model."""
    blocks = {block: f"block{k}" for k, block in enumerate(model.blocks)}
    return {**blocks, **{source: f"input{k}" for k, source in enumerate(model.inputs)}}


def describe_model(model: NengoObject) -> Network:
    """Return the network of a built and discretised nengo-loihi *model*.

    Raises UnsupportedError for learning, for noise and for a voltage floor that may be reached.
    """
    name = name_parts(model)
    sources = [Source(name[source], source.n_neurons) for source in model.inputs]
    values = _of_values(model)
    populations = [_population(block, name[block], model.dt, values) for block in model.blocks]
    tables = _tables(model, name).items()
    projections = [Projection(x, pre, post, table / UNIT) for x, (pre, post, table) in tables]
    description = Network((*sources, *populations), tuple(projections), model.dt)
    check_integers(model, description)
    return description


def _of_values(model: NengoObject) -> set[NengoObject]:
    """Return the synapses that transmit decoded values of the host, in pairs of both signs."""
    return {
        axon.target
        for receiver, source in model.spike_targets.items()
        if type(receiver).__name__ == "ChipReceiveNode"  # a subclass is for neurons, not values
        for axon in source.axons
    }


def _population(block: NengoObject, name: str, dt: float, values: set[NengoObject]) -> Population:
    """Return a block as a population; *values*: see `_of_values`."""
    c, where = block.compartment, f"from_nengo, {block.label or name}"
    if any(synapse.learning for synapse in block.synapses):
        raise UnsupportedError(where, "learning by PES", remedy="see docs/pes.md for ours")
    if np.any(c.enable_noise):
        raise UnsupportedError(where, "the chip's own noise", remedy="leave the noise out")
    floor_is_ours = c.vmin == -VOLTAGE_MAX
    inhibit = {s for s in block.synapses if not all((w >= 0).all() for w in s.weights)}
    if not floor_is_ours and ((c.bias < 0).any() or inhibit):
        what = "a lowest voltage that inhibition may reach"
        remedy = "call neurorl.nengo.lower_floors(network) first; decode with weights=True"
        if inhibit <= values and (c.bias >= 0).all():
            what = "a lowest voltage that values may reach, which arrive as spikes of both signs"
            remedy = f"call neurorl.nengo.lower_floors(network) first; of spikes, {_PASS_ON}"
        raise UnsupportedError(where, what, got=int(c.vmin), limit=-VOLTAGE_MAX, remedy=remedy)
    taus = _tau(4095 - c.decay_u, dt), _tau(4096 - c.decay_v, dt)
    refractory = (np.maximum(c.refract_delay, 1) - 1) * dt
    neuron = CubaLIF(*taus, c.vth / UNIT, c.bias / UNIT, refractory=refractory)
    return Population(name, block.n_neurons, InChipUnits(neuron, UNIT))


def _tau(kept: Array, dt: float) -> FloatArray:
    """Return the time constant with which a step keeps ``kept / 4096``."""
    share = np.asarray(kept, dtype=np.float64) / 4096
    with np.errstate(divide="ignore"):
        tau = dt / np.abs(np.log(share))
    return np.asarray(np.where(share > 0, np.minimum(tau, _FOREVER), 0.0))


def _tables(model: NengoObject, name: dict[NengoObject, str]) -> dict[str, Link]:
    """Return what each spike of one part transmits to another, from axons and synapses."""
    owner = {synapse: block for block in model.blocks for synapse in block.synapses}
    tables: dict[str, Link] = {}
    for sender in [*model.inputs, *model.blocks]:
        for k, axon in enumerate(sender.axons):
            target = owner[axon.target]
            table = np.zeros((sender.n_neurons, target.n_neurons), dtype=np.int64)
            for i in range(sender.n_neurons):
                for spike in axon.map_spikes([i]):
                    _add_row(table[i], axon.target, spike)
            if table.any():
                pre, post = name[sender], name[target]
                tables[f"{pre}_{post}_{k}"] = pre, post, table
    return tables


def _add_row(row: IntArray, synapse: NengoObject, spike: NengoObject) -> None:
    """Add what one *spike* of an axon transmits through its *synapse*."""
    base = None if spike is None else synapse.axon_compartment_base(spike.axon_idx)
    if base is not None:
        weights, indices = synapse.axon_weights_indices(spike.axon_idx, atom=spike.atom)
        np.add.at(row, base + np.asarray(indices), weights)


def check_integers(model: NengoObject, network: Network) -> None:
    """Raise UnsupportedError unless *network* has, in chip arithmetic, every integer of *model*."""
    chip, name = quantise(network), name_parts(model)
    differing = []
    for block in model.blocks:
        theirs, ours = block.compartment, chip.populations[name[block]]
        pairs = {
            "decay_u": (theirs.decay_u, ours.current_decay),
            "decay_v": (theirs.decay_v, ours.voltage_decay),
            "vth": (theirs.vth, ours.threshold),
            "bias": (theirs.bias, ours.bias),
            "refract_delay": (np.maximum(theirs.refract_delay, 1), ours.refractory),
        }
        differing += [f"{name[block]}.{k}" for k, (a, b) in pairs.items() if not (a == b).all()]
    tables = _tables(model, name)
    for projection in network.projections:
        scaled = chip.projections[projection.name]
        mantissa = weight_integers(scaled, np.asarray(projection.weights))
        transmitted = mantissa * 2.0 ** (6 + scaled.exponent)
        if not np.array_equal(tables[projection.name][2], transmitted):
            differing.append(projection.name)
    if differing:
        what, got = "integers of nengo-loihi that no description has", ", ".join(differing)
        raise UnsupportedError("from_nengo", what, got=got)
