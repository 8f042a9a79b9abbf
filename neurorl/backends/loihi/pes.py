"""Learn on the chip itself by PES, as nengo-loihi's emulator does it.

``dw = -error x``, where x is the trace of a presynaptic neuron and each postsynaptic neuron has an
error of its own. A third factor is part of the error, ``error = -modulator f``. In the chip's
integers::

    every 2nd step:  x = round(exp(-2 / tau) x + magnitude [a spike came]), 0..127
    every 4th step:  mantissa = 2 round((mantissa - x e / 512) / 2), -254..254

``e = rint(127 error)``, -127..127, is the error of that very step. `round` is stochastic and draws
from the emulator's own generator. Of several spikes of a neuron within 2 steps, one is counted.

nengo-loihi learns in pairs of populations; the second gets ``-error``. So a core that
learns also holds a silent twin of each of its neurons, whose weights nobody reads. Every axon into
such a core learns onto all of its neurons, so each block has cores of its own.
Source: nengo-loihi 1.1 (emulator, `SynapseState`), after the PES rule of MacNeil & Eliasmith 2011
(doi 10.1371/journal.pone.0022885).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.checks import learned_populations
from neurorl.backends.loihi.placement import CoreLimits, place
from neurorl.backends.loihi.synapses import Share, SynapseLayout, WeightTable
from neurorl.backends.loihi.vendor import Synapse
from neurorl.backends.simulator import State
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import BoolArray, FloatArray, Int32Array

_RATE_EXPONENT = -7  # the chip's learning rate is 2**-7, the only one that nengo-loihi uses


@dataclass(frozen=True, eq=False)
class LearningPart:
    """Hold the synapses of one projection on one core that learns.

    post: name of the postsynaptic population.
    first, last: its neurons on this core, ``first <= j < last``.
    rows: the presynaptic neurons, which are consecutive; one axon each.
    columns: the columns of the projection's weights in the shape ``(n_pre, neurons of a block)``.
    data: transmitted weights ``(rows, 2n)``: onto the n neurons, then onto their silent twins.
    synapse: nengo-loihi's synapses, which are views of *data*.
    """

    post: str
    first: int
    last: int
    rows: slice
    columns: slice
    data: Int32Array
    synapse: Synapse

    @property
    def own(self) -> Int32Array:
        """Return a view of the weights onto the neurons themselves, without those onto twins."""
        return self.data[:, : self.last - self.first]


class LearningTable(WeightTable):
    """Hold a projection's weights that the emulator changes.

    network: the network that runs.
    projection: the projection that learns.
    layout, exponent: as in `WeightTable`.
    magnitude: increment of a trace by a spike, at most 127.

    parts: one for each core, in the order of the cores.
    """

    def __init__(
        self,
        network: Network,
        projection: Projection,
        layout: SynapseLayout,
        exponent: int,
        magnitude: float,
    ) -> None:
        self.name, self.layout, self._exponent = projection.name, layout, exponent
        assert projection.plasticity is not None
        self._post = projection.post
        self._width = network.node(projection.post).size // projection.blocks
        self._tau = max(1, round(projection.plasticity.trace_tau / network.dt))
        self._magnitude = magnitude
        self.parts: list[LearningPart] = []

    def synapse(self, share: Share) -> Synapse:
        """Return the synapses of one core, and add them to `parts`."""
        twinned = share.twinned()
        data = np.zeros((len(twinned.rows), twinned.last), dtype=np.int32)
        synapse = Synapse(len(data), label=self.name)
        synapse.weights, synapse.indices = twinned.views(data), twinned.indices()
        synapse.format(**twinned.format(), weight_exp=self._exponent)
        synapse.set_learning(
            tracing_tau=self._tau, tracing_mag=self._magnitude, wgt_exp=self._exponent
        )
        # nengo-loihi fills these in while it discretizes, which is skipped here.
        synapse.learning_rate = 2.0**_RATE_EXPONENT
        synapse._lr_int, synapse._lr_exp = 1, _RATE_EXPONENT
        rows = slice(int(share.rows[0]), int(share.rows[-1]) + 1)
        columns = slice(int(share.starts[0]), int(share.stops[0]))
        self.parts.append(
            LearningPart(self._post, share.first, share.last, rows, columns, data, synapse)
        )
        return synapse

    def write(self, mantissa: Int32Array) -> None:
        """Write mantissas, in the shape of the projection's weights."""
        scaled = self._scaled(mantissa.reshape(self.layout.rows, -1))
        for part in self.parts:
            part.data[...] = 0
            part.own[...] = scaled[part.rows, part.columns]

    def transmitted(self) -> Int32Array:
        """Return a copy of the transmitted weights, ``(n_pre, neurons of a block)``."""
        weights = np.empty((self.layout.rows, self._width), dtype=np.int32)
        for part in self.parts:
            weights[part.rows, part.columns] = part.own
        return weights


ERROR_SCALE = 127.0
WORDS = 624  # words in the state of a Mersenne Twister


def mantissas_learned(magnitude: float) -> float:
    """Return the growth of a mantissa in a learning step, for error -1 and trace *magnitude*."""
    return magnitude * ERROR_SCALE / 512


def pes_problems(network: Network, limits: CoreLimits, cores: int) -> list[str]:
    """Return why PES can't train *network*, one line for each reason; empty if it can.

    network: the network as it runs, with relays in place of delays.
    limits: what one core has room for.
    cores: how many cores there are.
    """
    learned = learned_populations(network)
    problems = [] if learned else ["a network without a projection that learns (add plasticity)"]
    for p in network.projections:
        if p.plasticity is None:
            if p.post in learned and p.pre not in network.currents:
                problems.append(
                    f"projection {p.name!r}, which doesn't learn, into the core of {p.post!r},"
                    " which does (let it learn, or end in a population of its own)"
                )
            continue
        for is_unsupported, words in (
            (p.pre in network.currents, "from a source of currents (take spikes)"),
            (p.signed, "that is signed (take signed=False)"),
            (p.mask is not None, "with a mask (connect all to all, or use blocks)"),
            (p.is_sparse, "of listed synapses (connect all to all, or use blocks)"),
            (p.plasticity.low != -p.plasticity.high, "of low != -high, the chip's only bounds"),
        ):
            if is_unsupported:
                problems.append(f"projection {p.name!r} {words}")
    if problems:
        return problems
    placement = place(network, limits=limits, learned=learned)
    for overfull in placement.overfull:
        problems += [
            f"population {overfull.population!r}, neuron {overfull.neuron} with"
            f" {overfull.used[key]} {key}, all of a core that learns being counted twice"
            f" (limit {getattr(limits, key)})"
            for key in limits.exceeded(overfull.used)
        ]
    if placement.n_cores > cores:
        problems.append(
            f"a network of {placement.n_cores} cores, one for each block into a population that"
            f" learns (limit {cores}; take fewer blocks, such as fewer actors, or more chips)"
        )
    return problems


class OnChipLearning:
    """Drive nengo-loihi's own learning on one emulator: its errors, traces and draws.

    emulator: the `EmulatorInterface`.
    tables: the weights that learn, by projection.
    """

    def __init__(self, emulator: Any, tables: Mapping[str, LearningTable]) -> None:
        self._emulator, self._tables = emulator, tables
        self._synapses = emulator.synapses

    @property
    def _parts(self) -> list[LearningPart]:
        """Return the synapses of every core that learns, projection by projection."""
        return [part for table in self._tables.values() for part in table.parts]

    def present(self, errors: Mapping[str, FloatArray]) -> None:
        """Set the errors of the next step.

        errors: by population ``(size,)``, -1 to 1; 0 for a population left out.
        """
        entries = [
            (part.synapse, self._emulator.t, errors[part.post][part.first : part.last])
            for part in self._parts
            if part.post in errors
        ]
        self._synapses.update_pes_errors(entries)

    def reset(self) -> None:
        """Clear traces and the spikes that have yet to join them; weights stay."""
        for part in self._parts:
            self._synapses.traces[part.synapse][:] = 0
            self._synapses.trace_spikes[part.synapse].clear()

    def state(self) -> State:
        """Return the traces, the spikes that have yet to join them, and the state of the generator.

        Keys: ``pes.draws`` (the generator's words, then its position), ``PROJECTION.trace`` and
        ``PROJECTION.trace_spikes``, the axons of all its cores in one row.
        """
        _, words, position, *_ = self._emulator.rng.get_state()
        state: State = {"pes.draws": np.append(words.astype(np.int64), position)}
        for name, table in self._tables.items():
            traces = [self._synapses.traces[part.synapse] for part in table.parts]
            came = [self._came(part) for part in table.parts]
            state[f"{name}.trace"] = np.concatenate(traces).astype(np.int64)
            state[f"{name}.trace_spikes"] = np.concatenate(came)
        return state

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        words, position = state["pes.draws"][:WORDS], int(state["pes.draws"][WORDS])
        self._emulator.rng.set_state(("MT19937", words.astype(np.uint32), position))
        for name, table in self._tables.items():
            last = 0
            for part in table.parts:
                first, last = last, last + len(part.data)
                self._synapses.traces[part.synapse][:] = state[f"{name}.trace"][first:last]
                came = state[f"{name}.trace_spikes"][first:last]
                spikes = self._synapses.trace_spikes[part.synapse]
                spikes.clear()
                spikes.update(came.nonzero()[0].tolist())

    def _came(self, part: LearningPart) -> BoolArray:
        """Return a mask of the axons that got a spike since the trace was last updated."""
        came = np.zeros(len(part.data), dtype=bool)
        came[list(self._synapses.trace_spikes[part.synapse])] = True
        return came
