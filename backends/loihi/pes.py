"""Learning on the chip itself: PES, as nengo-loihi's emulator does it.

``dw = -error x``, x the trace of a presynaptic neuron, the error one of each postsynaptic neuron; a
third factor is part of it, ``error = -modulator f``. In the chip's integers::

    every 2nd step:  x = round(exp(-2 / tau) x + magnitude [a spike came]), 0..127
    every 4th step:  mantissa = 2 round((mantissa - x e / 512) / 2), -254..254

``e = rint(127 error)``, -127..127, is the error of that very step; `round` is stochastic, by the
emulator's own generator. Of several spikes of a neuron in 2 steps one is counted.

nengo-loihi learns in pairs of populations, of which the second gets ``-error``. So the core of a
population that learns holds as many silent neurons again, whose weights nobody reads.
Source: nengo-loihi 1.1 (emulator, `SynapseState`), after the PES rule of MacNeil & Eliasmith 2011
(doi 10.1371/journal.pone.0022885).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import State
from neurorl.backends.loihi.limits import usage
from neurorl.backends.loihi.placement import CoreLimits, Placement
from neurorl.backends.loihi.synapses import Layout, Share, WeightTable
from neurorl.backends.loihi.vendor import Synapse
from neurorl.described import FloatArray
from neurorl.description import Network, Projection
from neurorl.errors import ArgumentError, say, unknown

__all__ = [
    "ERROR_SCALE",
    "NEEDED_FOR_PES",
    "LearningTable",
    "OnChipLearning",
    "check_errors",
    "doubled_usage",
    "learned_populations",
    "pes_problems",
]

NEEDED_FOR_PES = (
    "rng",
    "synapses.error",
    "synapses.trace_spikes",
    "synapses.traces",
    "synapses.update_pes_errors",
)
"""Attributes of an `EmulatorInterface` without which it can't learn."""

ERROR_SCALE = 127.0
_RATE_EXPONENT = -7  # the chip's rate is 2**-7; nengo-loihi never takes another
_WORDS = 624  # of the state of a Mersenne Twister


def learned_populations(network: Network) -> frozenset[str]:
    """Populations whose core learns."""
    return frozenset(p.post for p in network.projections if p.plasticity is not None)


def pes_problems(network: Network, placement: Placement) -> list[str]:
    """What of *network* PES can't learn, a line each; placement: without doubling."""
    learned = learned_populations(network)
    found = [] if learned else ["a network without a projection that learns (add plasticity)"]
    for p in network.projections:
        if p.plasticity is None:
            if p.post in learned and p.pre not in network.currents:
                found.append(
                    f"projection {p.name!r}, which doesn't learn, into the core of {p.post!r},"
                    " which does (let it learn, or end in a population of its own)"
                )
            continue
        for odd, words in (
            (p.pre in network.currents, "from a source of currents (take spikes)"),
            (p.signed, "that is signed"),
            (p.blocks > 1 or p.mask is not None, "of blocks or with a mask (connect all to all)"),
            (p.plasticity.low != -p.plasticity.high, "of low != -high, the chip's only bounds"),
        ):
            if odd:
                found.append(f"projection {p.name!r} {words}")
    if found:
        return found
    for row in doubled_usage(network, usage(placement), placement.limits):
        name = row["population"]
        if name in learned and row["cores"] > 1:
            found.append(
                f"population {name!r} of {row['cores']} cores (one can learn; make it less)"
            )
        elif name in learned:
            found += [
                f"population {name!r} with {row[key]} {key}, a core that learns being counted twice"
                f" (limit {getattr(placement.limits, key)})"
                for key in placement.limits.exceeded(row)
            ]
    return found


def doubled_usage(
    network: Network, rows: list[dict[str, Any]], limits: CoreLimits
) -> list[dict[str, Any]]:
    """Rows of `limits.usage` with what cores that learn take in all."""
    learned = learned_populations(network)
    out = []
    for row in rows:
        name = row["population"]
        if name in learned:
            into = [p for p in network.projections if p.post == name]
            bits = sum(_all_of(_layout(network, p)).bits() for p in into)
            used = {
                "compartments": 2 * row["compartments"],
                "axons_in": 2 * row["axons_in"],
                "synapse_bits": bits,
            }
            row = row | used | {f"{k}_percent": 100 * used[k] / getattr(limits, k) for k in used}
        out.append(row)
    return out


def check_errors(
    errors: Mapping[str, npt.ArrayLike], sizes: Mapping[str, int], n_steps: int
) -> dict[str, FloatArray]:
    """Errors of each step, clipped to -1..1. Raises ArgumentError, or UnknownNameError.

    sizes: of the populations that learn.
    """
    found = {}
    for name, given in errors.items():
        if name not in sizes:
            raise unknown("population that learns", name, sizes)
        shape, where = (n_steps, sizes[name]), f"errors of {name!r}"
        rows = np.asarray(given)
        if rows.dtype.kind not in "fiu" or not np.isfinite(rows).all():
            raise ArgumentError(say(where, "not an array of finite numbers"))
        if rows.shape not in (shape, shape[1:]):
            raise ArgumentError(say(where, "wrong shape", got=rows.shape, limit=shape))
        clipped = np.clip(rows.astype(np.float64), -1.0, 1.0)
        found[name] = np.broadcast_to(clipped, shape)
    return found


def _layout(network: Network, projection: Projection) -> Layout:
    rows, width = network.node(projection.pre).size, 2 * network.node(projection.post).size
    return Layout(rows, width, None, np.full(rows, width), None)


def _all_of(layout: Layout) -> Share:
    return layout.share(0, layout.targets)


class LearningTable(WeightTable):
    """Weights that the emulator changes: those of the population, then of its silent twin.

    magnitude: what a spike adds to its trace, at most 127.
    """

    def __init__(
        self, network: Network, projection: Projection, exponent: int, magnitude: float
    ) -> None:
        super().__init__(projection.name, _layout(network, projection), exponent)
        assert projection.plasticity is not None
        self._tau = max(1, round(projection.plasticity.trace_tau / network.dt))
        self._magnitude = magnitude
        self.learned: Synapse = None

    def synapse(self, share: Share) -> Synapse:
        """All synapses, as the population is on one core; they are `learned` from then on."""
        synapse = super().synapse(_all_of(self.layout))
        synapse.set_learning(
            tracing_tau=self._tau, tracing_mag=self._magnitude, wgt_exp=self._exponent
        )
        synapse.learning_rate = 2.0**_RATE_EXPONENT
        synapse._lr_int, synapse._lr_exp = 1, _RATE_EXPONENT
        self.learned = synapse
        return synapse

    @property
    def _own(self) -> npt.NDArray[np.int32]:
        return self.data[:, : self.layout.targets // 2]

    def write(self, mantissa: npt.NDArray[np.int32]) -> None:
        """Put mantissas, in the shape of the projection's weights, in force."""
        self.data[...] = 0
        self._own[...] = self._scaled(mantissa.reshape(self.layout.rows, -1))

    def transmitted(self) -> npt.NDArray[np.int32]:
        """A copy of what spikes transmit now, in the shape of the projection's weights."""
        return self._own.copy()


class OnChipLearning:
    """The learning engine of one emulator: its errors, traces and draws.

    tables: those that learn, and into: the population that each ends in.
    """

    def __init__(
        self, emulator: Any, tables: Mapping[str, LearningTable], into: Mapping[str, str]
    ) -> None:
        self._emulator, self._tables, self._into = emulator, tables, into
        self._synapses = emulator.synapses
        self._synapses.error = _accept

    def present(self, errors: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """The errors of the next step, by population ``(size,)``, -1 to 1; 0 if left out."""
        given = [
            (table.learned, self._emulator.t, errors[self._into[name]])
            for name, table in self._tables.items()
            if self._into[name] in errors
        ]
        self._synapses.update_pes_errors(given)

    def reset(self) -> None:
        """Forget all spikes."""
        for table in self._tables.values():
            self._synapses.traces[table.learned][:] = 0
            self._synapses.trace_spikes[table.learned].clear()

    def state(self) -> State:
        """Traces, the spikes that will join them, and the generator of the roundings."""
        _, words, position, *_ = self._emulator.rng.get_state()
        state: State = {"pes.draws": np.append(words.astype(np.int64), position)}
        for name, table in self._tables.items():
            came = np.zeros(table.layout.rows, dtype=bool)
            came[list(self._synapses.trace_spikes[table.learned])] = True
            state[f"{name}.trace"] = self._synapses.traces[table.learned].astype(np.int64)
            state[f"{name}.trace_spikes"] = came
        return state

    def restore(self, state: State) -> None:
        """Go on from `state`."""
        words, position = state["pes.draws"][:_WORDS], int(state["pes.draws"][_WORDS])
        self._emulator.rng.set_state(("MT19937", words.astype(np.uint32), position))
        for name, table in self._tables.items():
            self._synapses.traces[table.learned][:] = state[f"{name}.trace"]
            came = self._synapses.trace_spikes[table.learned]
            came.clear()
            came.update(state[f"{name}.trace_spikes"].nonzero()[0].tolist())


def _accept(message: str) -> None:
    """A chip says nothing either when spikes are lost to a trace."""
