"""Build nengo networks from descriptions."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.models import CubaLIF
from neurorl.nengo.imported import NengoObject, load_nengo, load_nengo_loihi
from neurorl.network.description import Network, Projection
from neurorl.network.neuron import integrator_of
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.storage.plain import Named, PlainData

_CHIP = "nengo"
_NO_FLOOR = -np.inf
_WHOLE = 1.0 + 2.0**-40  # so that a step of 1/dt is a spike however dt is rounded


@dataclass(frozen=True)
class NengoExport:
    """Hold a nengo network built from a description.

    network: the nengo network. nodes: Nodes by source. ensembles: by population. probes: probes of
    spikes, which are 1/dt high, by population.
    """

    network: NengoObject
    nodes: Named
    ensembles: Named
    probes: Named

    def spikes(self, simulator: NengoObject) -> dict[str, BoolArray]:
        """Return the spikes that a nengo simulator has recorded, as rasters."""
        return {name: simulator.data[probe] > 0 for name, probe in self.probes.items()}


def to_nengo(
    network: Network,
    inputs: Mapping[str, npt.ArrayLike] | None = None,
    *,
    seed: int = 0,
    arithmetic: str = "float",
    weights: Mapping[str, npt.ArrayLike] | None = None,
    neurons: str = "exact",
) -> NengoExport:
    """Return a nengo network that plays a description; weights stay as they are.

    inputs: by source a raster ``(steps, size)`` that its Node plays, followed by silence. A source
        without one becomes a Node with an input: connect spikes, 0 or 1/dt, with ``synapse=None``.
    seed, arithmetic, weights: as in `neurorl.load`.
    neurons: ``'exact'`` for a neuron type of our own, whose spikes in nengo's Simulator equal the
        reference's, noise and equations included; ``'nengo'`` for ``nengo_loihi.LoihiLIF`` with
        Lowpass synapses, which nengo-loihi and other backends of nengo run: LIF and CubaLIF without
        noise, with one time constant in each population.

    Raises UnsupportedError for a part that nengo can't have.
    """
    if not isinstance(network, Network):
        raise ArgumentError("to_nengo", "not a neurorl.Network", got=type(network).__name__)
    check_name("neurons", neurons, ("exact", _CHIP))
    _check(network)
    with load("reference", network, seed=seed, arithmetic=arithmetic, weights=weights) as backend:
        if backend.arithmetic.counts_spikes:
            what, limit = "has no neurons that spike several times a step", "float, loihi"
            raise UnsupportedError("to_nengo, arithmetic", what, got=repr(arithmetic), limit=limit)
        builder = _Builder(backend, dict(inputs or {}))
        return builder.plain() if neurons == _CHIP else builder.exact()


def _check(network: Network) -> None:
    problems = [f"source {name!r}, of {kind}" for name, kind in network.analog.items()]
    for p in network.projections:
        problems += [f"projection {p.name!r}, of {p.more_than_weights}"] * bool(p.more_than_weights)
        if network.synapse_delays(p.name) is not None:
            problems.append(f"projection {p.name!r}, with a delay for each synapse")
    for population in network.populations:
        if len(population.neuron.inputs) > 1:
            problems.append(f"population {population.name!r}, with several inputs")
    if problems:
        limit = "spikes, one input, one delay a projection"
        raise UnsupportedError("to_nengo", "can't hold this", got="; ".join(problems), limit=limit)


class _Builder:
    """Build one network from *backend*'s weights, biases and neurons."""

    def __init__(self, backend: Backend, inputs: dict[str, npt.ArrayLike]) -> None:
        self.nengo, self.backend, self.description = load_nengo(), backend, backend.network
        self.simulator: NengoObject = backend.simulator
        known = [source.name for source in self.description.sources]
        for name in inputs:
            check_name("source", name, known)
        self.rasters = {name: np.asarray(raster, dtype=bool) for name, raster in inputs.items()}
        for source in self.description.sources:
            raster = self.rasters.get(source.name)
            if raster is not None and raster.shape[1:] != (source.size,):
                where, limit = f"to_nengo: inputs[{source.name!r}]", f"(steps, {source.size})"
                raise ArgumentError(where, "wrong shape", got=raster.shape, limit=limit)

    def exact(self) -> NengoExport:
        """Return the network with neurons that step as neurorl's."""
        cells: NengoObject = importlib.import_module("neurorl.nengo.cells")
        simulator = self.simulator
        types = {}
        for name in (p.name for p in self.description.populations):
            k = simulator.numbers[name]
            types[name] = cells.ReferenceCells(simulator.nodes[k], simulator.node_variables(k))
        with self.nengo.Network(seed=0) as network:
            nodes, ensembles = self._nodes(), self._ensembles(types)
            for p in self.description.projections:
                pre = nodes[p.pre] if p.pre in nodes else ensembles[p.pre].neurons
                matrix = self._dense(p)
                relay = self.nengo.Node(size_in=matrix.shape[0], label=f"{p.name}_arriving")
                delay = cells.SpikeDelay(self.description.delay_steps(p.name))
                self.nengo.Connection(pre, relay, synapse=delay)
                post = ensembles[p.post].neurons
                self.nengo.Connection(relay, post, transform=matrix.T, synapse=None)
            probes = {name: self.nengo.Probe(e.neurons) for name, e in ensembles.items()}
        return NengoExport(network, nodes, ensembles, probes)

    def plain(self) -> NengoExport:
        """Return the network with LoihiLIF neurons, whose threshold is 1 and weights are scaled."""
        loihi, dt = load_nengo_loihi(), self.description.dt
        forms = {p.name: self._form(p.name) for p in self.description.populations}
        kind = loihi.neurons.LoihiLIF
        types = {x: kind(f.tau_mem, f.refractory, min_voltage=_NO_FLOOR) for x, f in forms.items()}
        with self.nengo.Network(seed=0) as network:
            nodes, ensembles = self._nodes(), self._ensembles(types)
            senders = {name: ensemble.neurons for name, ensemble in ensembles.items()}
            senders |= self._spiking(network, nodes)
            for name, form in forms.items():
                bias = np.broadcast_to(form.bias / form.threshold, ensembles[name].n_neurons)
                ensembles[name].bias = bias / -np.expm1(-dt / form.tau_mem)
            for p in self.description.projections:
                form = forms[p.post]
                if self.description.delay_steps(p.name) != 1:
                    where = f"to_nengo, projection {p.name!r}"
                    raise UnsupportedError(where, "a delay", limit=f"{dt:g} s")
                kept = np.exp(-dt / form.tau_syn) if form.tau_syn else 0.0
                share = (1 - kept) * -np.expm1(-dt / form.tau_mem)
                ends = senders[p.pre], ensembles[p.post].neurons
                weights = (self._dense(p) / form.threshold).T * dt / share
                low = self.nengo.Lowpass(form.tau_syn)
                self.nengo.Connection(*ends, transform=weights, synapse=low)
            probes = {name: self.nengo.Probe(e.neurons) for name, e in ensembles.items()}
        return NengoExport(network, nodes, ensembles, probes)

    def _spiking(self, network: NengoObject, nodes: Named) -> PlainData:
        """Return neurons on the host that repeat the spikes of Nodes.

        nengo-loihi sends spikes of neurons to the chip as they are, but values of a Node through
        decoding neurons, which miss a value of 1/dt for one step.
        """
        load_nengo_loihi().add_params(network)
        senders = {}
        for name, node in nodes.items():
            size = self.description.node(name).size
            relay = self._ensemble(f"{name}_spikes", size, self.nengo.SpikingRectifiedLinear())
            relay.gain = np.full(size, _WHOLE)
            network.config[relay].on_chip = False
            self.nengo.Connection(node, relay.neurons, synapse=None)
            senders[name] = relay.neurons
        return senders

    def _form(self, name: str) -> CubaLIF:
        """Return a population as a CubaLIF with one time constant. Raises UnsupportedError."""
        population, dt = self.description.node(name), self.description.dt
        where, remedy = f"to_nengo, population {name!r}", "take neurons='exact'"
        neuron: NengoObject = population.neuron  # type: ignore[union-attr]
        d = integrator_of(neuron.plan(population.size, dt))
        if d is None:
            raise UnsupportedError(where, "equations", limit="LIF, CubaLIF", remedy=remedy)
        single = (d.current_decay, d.membrane_decay, d.refractory_steps)
        problems = {
            "noise": d.noise_width.any(),
            "a threshold that isn't positive": d.threshold.min() <= 0,
            "several time constants": any(np.ptp(values) for values in single),
            "a membrane without memory": not d.membrane_decay.all(),
        }
        for problem, is_there in problems.items():
            if is_there:
                raise UnsupportedError(where, problem, limit="LIF, CubaLIF", remedy=remedy)
        decays = d.current_decay, d.membrane_decay
        tau_syn, tau_mem = (dt / -np.log(x[0]) if x[0] else 0.0 for x in decays)
        bias = np.asarray(self.simulator.nodes[self.simulator.numbers[name]].bias, dtype=np.float64)
        rest = float(d.refractory_steps[0]) * dt
        return CubaLIF(tau_syn, tau_mem, threshold=d.threshold, bias=bias, refractory=rest)

    def _nodes(self) -> PlainData:
        return {source.name: self._node(source.name) for source in self.description.sources}

    def _node(self, name: str) -> NengoObject:
        raster, dt = self.rasters.get(name), self.description.dt
        if raster is None:
            return self.nengo.Node(size_in=self.description.node(name).size, label=name)
        heights, silence = raster / dt, np.zeros(raster.shape[1])

        def play(t: float) -> FloatArray:
            k = round(t / dt) - 1
            return np.asarray(heights[k] if 0 <= k < len(heights) else silence)

        return self.nengo.Node(play, size_out=raster.shape[1], label=name)

    def _ensembles(self, types: Named) -> PlainData:
        sizes = {name: self.description.node(name).size for name in types}
        return {name: self._ensemble(name, sizes[name], kind) for name, kind in types.items()}

    def _ensemble(self, label: str, size: int, kind: NengoObject) -> NengoObject:
        one_each = {"gain": np.ones(size), "bias": np.zeros(size), "encoders": np.ones((size, 1))}
        return self.nengo.Ensemble(size, 1, neuron_type=kind, label=label, **one_each)

    def _dense(self, p: Projection) -> FloatArray:
        """Return what each spike transmits, ``[pre, post]``, in the arithmetic's units."""
        n_pre, n_post = (self.description.node(end).size for end in (p.pre, p.post))
        whole = np.zeros((n_pre, n_post))
        arrivals = self.simulator.arrivals.get(p.name)
        if arrivals is None:  # it has no synapse
            return whole
        np.add.at(whole, self.description.ends(p.name), np.ravel(arrivals.weights))
        return whole
