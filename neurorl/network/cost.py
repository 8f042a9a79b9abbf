"""Count what a decision costs, as NeuroBench defines it, and estimate the energy on Loihi.

Everything is counted from the rasters and the weights in force, so backends that agree in every
spike agree in every count. Definitions, for the window of one decision:

- *spikes* of neurons, and *activation sparsity*, the share of neuron steps without one;
- *synaptic operations*: spikes of neurons and sources, times the synapses that they reach. A
  source of currents counts once a decision, for its activations that aren't 0. A synapse of
  weight 0 takes the chip's time and is counted; NeuroBench's *effective* operations leave it out:
  accumulates (ACs) where the activation is a spike, multiply-accumulates (MACs) where it is a
  number, as of currents;
- *dense synaptic operations*: what hardware does that makes no use of sparsity, every weight of
  every matrix (its masked and zero ones too) in every step. Blocks are matrices of their own;
- *neuron updates*: every neuron once a step, as the chip does. (NeuroBench's membrane updates
  count changes of a voltage instead, which can't be seen from outside.)

Counted is the network as described: a signed projection as weights 2w and a bias, so that only
spikes cost; no relays, which the chip takes for delays of several steps.

Source: NeuroBench (Yik et al. 2025, doi:10.1038/s41467-025-56739-4) and its 2.x code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import numpy as np

from neurorl.errors import ArgumentError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray, IntArray

Weights = Mapping[str, FloatArray] | None

# Joules on Loihi, Davies et al. 2018, IEEE Micro 38(1), doi:10.1109/MM.2018.112130359, table 2.
SYNOP_J = 23.6e-12
ACTIVE_UPDATE_J = 81e-12
INACTIVE_UPDATE_J = 52e-12


class Figures(TypedDict):
    """Hold means over decisions; a share from 0 to 1, and joules of `loihi_energy`."""

    spikes_per_decision: float
    synops_per_decision: float
    effective_acs_per_decision: float
    effective_macs_per_decision: float
    dense_synops_per_decision: float
    neuron_updates_per_decision: float
    activation_sparsity: float
    energy_per_decision_j: float


FIGURES = tuple(Figures.__annotations__)


def fan_out(network: Network, weights: Weights = None) -> dict[str, IntArray]:
    """Return the synapses that one spike of each neuron or channel reaches, ``(size,)`` a node.

    weights: those in force, of every projection; synapses of weight 0 then don't count.
    """
    reached = {node.name: np.zeros(node.size, dtype=np.int64) for node in network.nodes}
    for p in network.projections:
        there = np.ones(network.weight_shape(p.name), dtype=bool) if p.mask is None else p.mask
        if weights is not None:
            there = there & (weights[p.name] != 0)
        synapses = network.synapses(p.name)
        if synapses is not None:
            reached[p.pre] += np.bincount(synapses.pre[there], minlength=synapses.n_pre)
            continue
        reached[p.pre] += there.sum(axis=-1).ravel()
    return reached


def neuron_updates(network: Network, n_steps: int) -> int:
    """Return the updates of a membrane in *n_steps* steps: ``n_steps * neurons``."""
    return n_steps * sum(p.size for p in network.populations)


def dense_synops(network: Network, n_steps: int, n_decisions: int = 1) -> int:
    """Return the operations without sparsity: ``n_steps * weights``, masked ones too.

    n_decisions: in these steps; weights of currents act once in each.
    """
    return sum(
        int(np.prod(network.weight_shape(p.name)))
        * (n_decisions if p.pre in network.currents else n_steps)
        for p in network.projections
    )


def loihi_energy(synops: float, active_updates: float, inactive_updates: float = 0.0) -> float:
    """Estimate the dynamic energy of Loihi's cores (J), from simulations before silicon.

    ``23.6 pJ synops + 81 pJ active_updates + 52 pJ inactive_updates``. The paper doesn't say when
    an update is inactive: with all of them active, the neurons' part is at most 1.56 times too
    large. 23.6 pJ is the paper's least value for an operation.

    Not in it: spikes' way through the mesh (1.7 pJ within a tile, 3 to 4 pJ a hop: it depends on
    the placement), spikes in and out of the chip, the x86 cores, the barrier between steps,
    leakage and idle power, learning, and what the host does (encoder, currents, votes, critic).
    Source: Davies et al. 2018, IEEE Micro 38(1), doi:10.1109/MM.2018.112130359, table 2 (0.75 V).
    """
    joules = SYNOP_J * synops + ACTIVE_UPDATE_J * active_updates
    return joules + INACTIVE_UPDATE_J * inactive_updates


def static_cost(network: Network, n_steps: int) -> dict[str, int]:
    """Return what is known before any spike, for a decision of *n_steps* steps.

    neurons, synapses (where the masks leave some), neuron_updates_per_decision,
    dense_synops_per_decision.
    """
    return {
        "neurons": sum(p.size for p in network.populations),
        "synapses": sum(int(reached.sum()) for reached in fan_out(network).values()),
        "neuron_updates_per_decision": neuron_updates(network, n_steps),
        "dense_synops_per_decision": dense_synops(network, n_steps),
    }


class Tally:
    """Count the spikes of each neuron (and activations of currents) over decisions, and their cost.

    weights: those in force, of every projection; they must not change while it counts. None takes
    all as effective.
    """

    def __init__(self, network: Network, weights: Weights = None) -> None:
        self._network = network
        self._reached = fan_out(network)
        self._effective = fan_out(network, weights)
        self._spikes = {name: np.zeros_like(reached) for name, reached in self._reached.items()}
        self._decisions = self._steps = 0

    def begin(self, replica: int = 0) -> None:
        """Begin an episode of a replica, which changes no count."""

    def add(
        self, rasters: Mapping[str, Array], n_steps: int, replicas: Sequence[int] | None = None
    ) -> None:
        """Count one decision, or one of each of these replicas.

        rasters: ``(n_steps, size)`` of every source and population; of a source of currents, its
        activations ``(size,)``. With replicas ``n_replicas * size`` takes the place of size.
        """
        for name, spikes in self._spikes.items():
            of_all = _counts(rasters[name])
            if replicas is not None:
                of_all = of_all.reshape(-1, len(spikes))[replicas].sum(axis=0, dtype=np.int64)
            spikes += of_all
        n_decisions = 1 if replicas is None else len(replicas)
        self._decisions += n_decisions
        self._steps += n_decisions * n_steps

    def per_decision(self) -> Figures:
        """Return means over the decisions. Raises ArgumentError if there was none.

        All updates are taken as active.
        """
        network, decisions = self._network, self._decisions
        if not decisions:
            raise ArgumentError("cost", "no decision was counted")
        fired = sum(int(self._spikes[p.name].sum()) for p in network.populations)
        updates = neuron_updates(network, self._steps)
        spiking = [node.name for node in network.spiking.nodes]
        _, synops = self.on_chip()
        host = self._operations(self._reached, network.currents)
        macs = self._operations(self._effective, network.currents)
        return {
            "spikes_per_decision": fired / decisions,
            "synops_per_decision": (synops + host) / decisions,
            "effective_acs_per_decision": self._operations(self._effective, spiking) / decisions,
            "effective_macs_per_decision": macs / decisions,
            "dense_synops_per_decision": dense_synops(network, self._steps, decisions) / decisions,
            "neuron_updates_per_decision": updates / decisions,
            "activation_sparsity": 1.0 - fired / updates if updates else 1.0,
            "energy_per_decision_j": loihi_energy(synops / decisions, updates / decisions),
        }

    def on_chip(self) -> tuple[int, int]:
        """Return all spikes so far, of sources too, and their operations, without currents."""
        nodes = [node.name for node in self._network.spiking.nodes]
        fired = sum(int(self._spikes[name].sum()) for name in nodes)
        return fired, self._operations(self._reached, nodes)

    def _operations(self, reached: dict[str, IntArray], nodes: Iterable[str]) -> int:
        return sum(int(self._spikes[name] @ reached[name]) for name in nodes)


def _counts(raster: Array) -> Array:
    """Return how many entries of each column aren't 0."""
    if raster.dtype == bool and len(raster) < 256:  # many times as quick, of large rasters
        # Fewer than 256 rows, so each count fits a byte.
        return np.asarray(np.add.reduce(raster.view(np.uint8), axis=0, dtype=np.uint8))
    return np.asarray(np.count_nonzero(raster.reshape(-1, raster.shape[-1]), axis=0))
