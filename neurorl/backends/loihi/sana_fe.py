"""Hold everything of SANA-FE, a model of Loihi's energy and latency, as a meter of our spikes.

Every neuron is forced: it has no memory, and a bias above its threshold in the steps in which ours
spiked. Synapses weigh nothing: what arrives is counted and changes nothing. All neurons are updated
in every step, as on the chip. Sources have cores of their own, since a placement has none for them.

Written for sanafe 2.2.9 and its Loihi. tests/backends/loihi/test_sana_fe.py fails where it changes.
Source: Boyle et al. 2025, IEEE TCAD, doi:10.1109/TCAD.2025.3537971.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import math
from collections.abc import Iterator, Mapping

import numpy as np
import sanafe

from neurorl.backends.loihi.delays import InputHistory, RelayNetwork
from neurorl.backends.loihi.limits import CORES
from neurorl.backends.loihi.placement import Placement
from neurorl.backends.meter import Cost, Expand
from neurorl.errors import BackendError, UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData

_INPUTS, _TILE = 1024, 4  # units of a core that send inputs; cores of a tile
_SYNAPSES = 4_000_000  # each takes SANA-FE a kilobyte of memory
_FORCED = {"threshold": 0.5, "leak_decay": 0, "reset_mode": "hard", "force_update": 1}
_PARTS = ("synapse", "dendrite", "soma", "network")
_ABOUT = {
    "modelled": "dynamic energy and time of synapses, somas, axons and the mesh, and the barrier"
    " between steps; cores that send inputs; an update of every neuron in every step",
    "not_modelled": "leakage and idle power, spikes' way into and out of the chip, writing biases"
    " and weights, resets, x86 cores, learning, and the host: encoder, votes, critic",
    "error": "12 % of energy and 25 % of latency, as published for three applications on a Loihi"
    " (doi:10.1109/TCAD.2025.3537971); unknown for this one",
}


class SanaFe:
    """Measure windows on SANA-FE's Loihi, see `neurorl.backends.meter.Meter`.

    relayed, placement: the network that runs, and its cores, which are taken in this order.
    Raises UnsupportedError if SANA-FE's one chip has too few cores.
    """

    def __init__(self, relayed: RelayNetwork, placement: Placement) -> None:
        self.network, self._relayed = relayed.network, relayed
        spiking, n_cores = self.network.spiking, placement.n_cores
        n_input_cores = -(-sum(source.size for source in spiking.sources) // _INPUTS)
        if n_cores + n_input_cores > CORES or spiking.n_synapses > _SYNAPSES:
            took = f"{n_cores} cores, {n_input_cores} for inputs, {spiking.n_synapses:,} synapses"
            limit = f"{CORES} cores on SANA-FE's one chip, {_SYNAPSES:,} synapses"
            what, remedy = "the network is too large", "take a smaller one"
            raise UnsupportedError("energy on Loihi", what, got=took, limit=limit, remedy=remedy)
        self.about: PlainData = {
            "model": f"SANA-FE {importlib.metadata.version('sanafe')}, its Loihi",
            **_ABOUT,
            "cores": n_cores,
            "input_cores": n_input_cores,
            "relays": sum(n.size for n in spiking.populations if n.name not in relayed.later),
        }
        with _translated():
            architecture = _architecture(-(-(n_cores + n_input_cores) // _TILE))
            self._chip = sanafe.SpikingChip(architecture)
            self._chip.load(_describe(self.network, placement, iter(architecture.cores())))
            groups = self._chip.mapped_neuron_groups
            self._neurons = {node.name: list(groups[node.name]) for node in spiking.nodes}
        self._forced = {p.name: np.zeros(p.size, dtype=bool) for p in spiking.populations}

    def history(self) -> Expand:
        """Return what repeats the spikes of a replica, which begins at rest."""
        return InputHistory(self._relayed, of_all=True).extend

    def measure(self, rasters: Mapping[str, Array]) -> Cost:
        """Return what a window costs, by forcing its spikes step by step."""
        results = []
        with _translated():
            for step in range(len(rasters[self.network.populations[0].name])):
                for name, neurons in self._neurons.items():
                    # A neuron keeps its bias until it is set again; an input forgets its spikes.
                    forced, spikes = self._forced.get(name), rasters[name][step]
                    given = spikes if forced is None else spikes != forced
                    for k in np.flatnonzero(given).tolist():
                        attributes = {"spikes": [1]} if forced is None else {"bias": int(spikes[k])}
                        neurons[k].set_attributes(model_attributes=attributes)
                    if forced is not None:
                        forced[:] = spikes
                results.append(self._chip.sim(1))
        return Cost(
            spikes=sum(int(r["neurons_fired"]) for r in results),
            synops=sum(int(r["spikes"]) for r in results),
            energy={x: math.fsum(float(r["energy"][x]) for r in results) for x in _PARTS},
            latency=math.fsum(float(r["sim_time"]) for r in results),
        )


@functools.cache
def _architecture(n_tiles: int) -> sanafe.Architecture:
    """Return Loihi without the tiles that would be empty, which take a gigabyte of memory."""
    architecture = sanafe.load_loihi()
    architecture.tiles = architecture.tiles[:n_tiles]
    return architecture


def _describe(network: Network, placement: Placement, free: Iterator[object]) -> sanafe.Network:
    """Return the network as SANA-FE has it: populations on the first cores, then sources."""
    described, groups, sent = sanafe.Network(), {}, 0
    dendrite = {"default_dendrite_hw_name": "loihi_dendrites"}
    for p in network.populations:
        group = groups[p.name] = described.create_neuron_group(
            p.name, p.size, model_attributes=_FORCED, soma_hw_name="loihi_lif", **dendrite
        )
        for part in placement.cores[p.name]:
            core = next(free)
            for k in range(part.start, part.stop):
                group[k].map_to_core(core)
    for source in network.spiking.sources:
        groups[source.name] = described.create_neuron_group(source.name, source.size, **dendrite)
        for neuron in groups[source.name]:
            core = core if sent % _INPUTS else next(free)
            neuron.set_attributes(soma_hw_name=f"loihi_inputs[{sent % _INPUTS}]")
            neuron.map_to_core(core)
            sent += 1
    for projection in network.spiking.projections:
        pre, post = groups[projection.pre], groups[projection.post]
        kind = "dense" if placement.layouts[projection.name].index is None else "sparse"
        for neuron in post:
            neuron.set_attributes(default_synapse_hw_name=f"loihi_{kind}_synapse")
        there = slice(None) if projection.mask is None else projection.mask.ravel()
        ends = network.ends(projection.name)
        pairs = list(zip(*(end[there].tolist() for end in ends), strict=True))
        pre.connect_neurons_sparse(post, {"weight": [0.0] * len(pairs)}, pairs)
    return described


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn SANA-FE's exceptions into ours, and let it print nothing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except Exception as exc:
        raise BackendError("SANA-FE", "failed", got=exc, remedy="install sanafe 2.2.9") from exc
