"""Plan which neurons run on which core.

The plan is a pure function, and the same for the model, its report and a chip. A core holds
consecutive neurons of one population with all synapses onto them, so splitting a population
changes nothing of what its neurons compute. Each presynaptic neuron that has a synapse there takes
one axon into that core.

In a core that learns (`neurorl.backends.loihi.pes`) every axon has a synapse onto every neuron, so
it holds neurons of only one block of every projection. Each neuron counts twice, for its silent
twin, and each axon takes two slots.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.quantiser import ChipNetwork
from neurorl.backends.loihi.synapses import Share, SynapseLayout
from neurorl.backends.loihi.vendor import (
    MAX_COMPARTMENTS,
    MAX_IN_AXONS,
    MAX_OUT_AXONS,
    MAX_SYNAPSE_BITS,
)
from neurorl.errors import ArgumentError
from neurorl.network.description import Network, Population
from neurorl.numerics.arrays import IntArray

Fits = Callable[[int, int], bool]
"""Tell whether the neurons ``first <= i < last`` fit on one core."""


@dataclass(frozen=True)
class CoreLimits:
    """Limit what one core holds: by default Loihi's limits, or lower ones to test splits.

    compartments: neurons, and silent twins where a core learns.
    axons_in, axons_out: axons that arrive and leave.
    synapse_bits: bits of synapse memory.
    dynamics: different sets of decays, refractory period, and whether there is the chip's noise.
    thresholds: different thresholds.
    formats: synapse formats, which differ in exponent or in how targets are stored.

    Raises ArgumentError for a limit below 1.
    """

    compartments: int = MAX_COMPARTMENTS
    axons_in: int = MAX_IN_AXONS
    axons_out: int = MAX_OUT_AXONS
    synapse_bits: int = MAX_SYNAPSE_BITS
    dynamics: int = 31
    thresholds: int = 7
    formats: int = 15

    def __post_init__(self) -> None:
        for name, got in vars(self).items():
            if got < 1:
                raise ArgumentError(f"core's {name}", "no room", got=got, limit=">= 1")

    def exceeded(self, used: dict[str, int]) -> list[str]:
        """Return the names of the resources that *used* takes more of than there is."""
        return [key for key, most in vars(self).items() if used.get(key, 0) > most]


@dataclass(frozen=True)
class Overfull:
    """Name a neuron that no core has room for, with the resources it alone would take."""

    population: str
    neuron: int
    used: dict[str, int]


@dataclass(frozen=True)
class Placement:
    """Hold the placement of a network's neurons on cores.

    limits: the resources of one core.
    cores: by population, the neurons on each of its cores.
    layouts: by projection of spikes, its synapses.
    used: by population, the resources that each of its cores takes, in the keys of `limits`.
    overfull: neurons that fit on no core.
    """

    limits: CoreLimits
    cores: dict[str, tuple[slice, ...]]
    layouts: dict[str, SynapseLayout]
    used: dict[str, tuple[dict[str, int], ...]]
    overfull: tuple[Overfull, ...]

    @property
    def n_cores(self) -> int:
        """Return the number of cores of all populations."""
        return sum(len(parts) for parts in self.cores.values())

    def shares(self, name: str, post: str) -> list[Share]:
        """Return the synapses of projection *name* on each core of the population *post*."""
        return [self.layouts[name].share(part.start, part.stop) for part in self.cores[post]]


def place(
    network: Network,
    chip: ChipNetwork | None = None,
    limits: CoreLimits | None = None,
    learned: frozenset[str] = frozenset(),
) -> Placement:
    """Plan the fewest cores for each population, evenly filled if that fits.

    network: the network that runs; every delay is one step.
    chip: its integers; None leaves dynamics, thresholds and formats out of account.
    limits: what one core has room for; None for Loihi's own limits.
    learned: populations whose cores learn.

    A neuron that fits on no core is in `Placement.overfull`.
    """
    planner = _Planner(network, chip, limits or CoreLimits(), learned)
    for population in network.populations:
        planner.split_by_neurons(population)
    while any(planner.split_by_axons_out(population.name) for population in network.populations):
        pass  # each core more of a population takes an axon more of those that project to it
    used = {name: tuple(planner.used(name)) for name in planner.cores}
    cores = {name: tuple(parts) for name, parts in planner.cores.items()}
    overfull = tuple(planner.overfull.values())
    return Placement(planner.limits, cores, planner.layouts, used, overfull)


class _Planner:
    """Build a plan; cores are only ever split further, so planning ends."""

    def __init__(
        self,
        network: Network,
        chip: ChipNetwork | None,
        limits: CoreLimits,
        learned: frozenset[str],
    ) -> None:
        self.limits = limits
        self._network, self._chip, self._learned = network, chip, learned
        self.layouts = {p.name: SynapseLayout.of(network, p) for p in network.spiking.projections}
        self.cores: dict[str, list[slice]] = {}
        self.overfull: dict[str, Overfull] = {}

    def split_by_neurons(self, population: Population) -> None:
        """Split by all limits except axons out, which depend on other populations."""
        name = population.name
        self.cores[name] = []
        for whole in self._wholes(population):
            parts = _cut(whole, lambda a, b: not self.limits.exceeded(self._inside(name, a, b)))
            if isinstance(parts, int):
                self.overfull[name] = Overfull(name, parts, self._inside(name, parts, parts + 1))
                self.cores[name] = [slice(0, population.size)]
                return
            self.cores[name] += parts

    def _wholes(self, population: Population) -> list[slice]:
        """Return the ranges of neurons that may share a core.

        One range of the whole population; on a core that learns, the neurons that share all blocks.
        """
        size, ends = population.size, {0, population.size}
        if population.name in self._learned:
            for p in self._network.spiking.projections:
                if p.post == population.name:
                    ends |= {size * k // p.blocks for k in range(p.blocks)}
        return [slice(a, b) for a, b in itertools.pairwise(sorted(ends))]

    def split_by_axons_out(self, name: str) -> bool:
        """Split cores that too many axons leave, and return whether any was split."""
        if name in self.overfull:
            return False
        leaving = self._leaving(name)
        finer: list[slice] = []
        for part in self.cores[name]:
            cut = _cut(part, lambda a, b: int(leaving[a:b].sum()) <= self.limits.axons_out)
            if isinstance(cut, int):
                self.overfull[name] = Overfull(name, cut, {"axons_out": int(leaving[cut])})
                return False
            finer += cut
        changed = len(finer) > len(self.cores[name])
        self.cores[name] = finer
        return changed

    def used(self, name: str) -> Iterator[dict[str, int]]:
        """Yield the resources that each core of a population takes."""
        leaving = self._leaving(name)
        for part in self.cores[name]:
            inside = self._inside(name, part.start, part.stop)
            yield {**inside, "axons_out": int(leaving[part].sum())}

    def _inside(self, name: str, first: int, last: int) -> dict[str, int]:
        """Return the resources of a core with neurons ``first <= i < last``, without axons out."""
        into = [p for p in self._network.spiking.projections if p.post == name]
        shares = {p.name: self.layouts[p.name].share(first, last) for p in into}
        shares = {k: share for k, share in shares.items() if len(share.rows)}
        twice = 2 if name in self._learned else 1
        if name in self._learned:
            shares = {k: share.twinned() for k, share in shares.items()}
        used = {
            "compartments": twice * (last - first),
            "axons_in": twice * sum(len(share.rows) for share in shares.values()),
            "synapse_bits": sum(share.bits() for share in shares.values()),
        }
        if self._chip is None:
            return used
        own = self._chip.populations[name]
        is_noisy = own.noise_step > 0
        decays = np.stack([own.current_decay, own.voltage_decay, own.refractory, is_noisy])
        held = self._chip.projections
        formats = {(held[k].exponent, *share.format().values()) for k, share in shares.items()}
        return {
            **used,
            "dynamics": np.unique(decays[:, first:last], axis=1).shape[1],
            "thresholds": len(np.unique(own.threshold[first:last])),
            "formats": len(formats),
        }

    def _leaving(self, name: str) -> IntArray:
        """Return the axons out of each neuron: one to each core where it has a synapse."""
        count = np.zeros(self._network.node(name).size, dtype=np.int64)
        for p in self._network.projections:
            for part in self.cores[p.post] if p.pre == name else ():
                count[self.layouts[p.name].share(part.start, part.stop).rows] += 1
        return count


def _cut(whole: slice, fits: Fits) -> list[slice] | int:
    """Split *whole* into the fewest parts that fit, of even size if such parts do.

    Returns the number of a neuron instead if it doesn't fit even alone.
    """
    if fits(whole.start, whole.stop):
        return [whole]
    parts: list[slice] = []
    first, last = whole.start, whole.stop
    while first < last:
        if not fits(first, first + 1):
            return int(first)
        stops = range(first + 1, last + 1)
        stop = first + bisect.bisect_left(stops, True, key=lambda stop: not fits(first, stop))
        parts.append(slice(first, stop))
        first = stop
    size, n = last - whole.start, len(parts)
    ends = [whole.start + size * k // n for k in range(n + 1)]
    even = [slice(a, b) for a, b in itertools.pairwise(ends)]
    return even if all(fits(part.start, part.stop) for part in even) else parts
