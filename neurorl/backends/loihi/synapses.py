"""Store the weights of one projection as the chip does: a row of synapses per axon.

A core gets the columns of its own neurons (`Share`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurorl.backends.loihi.vendor import Synapse, SynapseConfig
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import Array, BoolArray, Int32Array, IntArray

WEIGHT_BITS = 7  # index into SynapseConfig.WEIGHT_BITS_MAP: 8 bits
SYNAPSES_PER_ENTRY = 63  # the chip's field is one less than the number, 64
MIXED = 1  # fanout type: excitatory and inhibitory weights, so mantissas are even
EXPLICIT, DENSE = 0, 3  # compression: with an index for each synapse, or all targets in order


@dataclass(frozen=True)
class SynapseLayout:
    """Describe which synapses a projection has, independent of their weights.

    rows: number of presynaptic neurons.
    targets: number of postsynaptic neurons.
    index: target of each stored synapse, ascending, shape ``(rows, longest)``; None for all-to-all
        in order.
    lengths: number of stored synapses of each row; entries beyond it are padding with weight 0.
    mask: where synapses exist, in the shape ``(rows, neurons of a block)``; None for all.
    """

    rows: int
    targets: int
    index: Int32Array | None
    lengths: IntArray
    mask: BoolArray | None

    @classmethod
    def of(cls, network: Network, projection: Projection) -> SynapseLayout:
        """Return the layout of *projection* in *network*.

        It has index lists for blocks and listed synapses, and for masks if that takes fewer bits;
        else it is all-to-all.
        """
        rows, targets = network.node(projection.pre).size, network.node(projection.post).size
        synapses = network.synapses(projection.name)
        if synapses is not None:
            return cls._sparse(rows, targets, np.diff(synapses.start), synapses.post)
        width, is_one = targets // projection.blocks, projection.blocks == 1
        mask = None if projection.mask is None else projection.mask.reshape(rows, width)
        dense = cls(rows, targets, None, np.full(rows, targets), mask)
        if mask is None or not mask.any():
            if is_one:
                return dense
            mask = None
        there = np.ones((rows, width), dtype=bool) if mask is None else mask
        first = np.arange(rows) // (rows // projection.blocks) * width
        post = (first[:, None] + np.arange(width))[there]
        sparse = cls._sparse(rows, targets, there.sum(axis=1), post, mask)
        # A thick mask: absent synapses are stored as weight 0, which is shorter and quicker.
        is_thick = is_one and dense.share(0, targets).bits() <= sparse.share(0, targets).bits()
        return dense if is_thick else sparse

    @classmethod
    def _sparse(
        cls,
        rows: int,
        targets: int,
        lengths: IntArray,
        post: Array,
        mask: BoolArray | None = None,
    ) -> SynapseLayout:
        """Return a layout with index lists. post: the target of each synapse, row by row."""
        stored = np.arange(max(1, lengths.max())) < lengths[:, None]
        index = np.zeros(stored.shape, dtype=np.int32)
        index[stored] = post
        return cls(rows, targets, index, lengths, mask)

    @property
    def stored(self) -> BoolArray:
        """Return a mask of the entries of a table that aren't padding, ``(rows, longest)``."""
        return np.arange(self.shape[1]) < self.lengths[:, None]

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of a table, ``(rows, longest)``."""
        return self.rows, self.targets if self.index is None else self.index.shape[1]

    def share(self, first: int, last: int) -> Share:
        """Return the synapses onto the postsynaptic neurons ``first <= j < last``."""
        if self.index is None:
            starts, stops = np.full(self.rows, first), np.full(self.rows, last)
            mask = self.mask
            used = stops > starts if mask is None else np.asarray(mask[:, first:last].any(axis=1))
        else:
            starts, stops = self._stored_before(first), self._stored_before(last)
            used = stops > starts
        rows = np.flatnonzero(used)
        return Share(self, first, last, rows, starts[rows], stops[rows])

    def _stored_before(self, target: int) -> IntArray:
        """Count the synapses of each row that go to neurons before *target*; needs an index."""
        row_starts = np.cumsum(self.lengths) - self.lengths
        wanted = np.arange(self.rows, dtype=np.int64) * self.targets + target
        return np.searchsorted(self._places, wanted) - row_starts

    @cached_property
    def _places(self) -> IntArray:
        """Return ``row * targets + target`` of every stored synapse, ascending."""
        assert self.index is not None
        rows = np.arange(self.rows, dtype=np.int64)[:, None] * self.targets
        return (rows + self.index)[self.stored]


@dataclass(frozen=True)
class Share:
    """Hold the part of a projection's synapses that goes to the postsynaptic neurons of one core.

    first, last: those neurons, ``first <= j < last``.
    rows: presynaptic neurons with a synapse there, ascending; each takes one axon.
    starts, stops: for each of these rows, its columns in the layout's table.
    """

    layout: SynapseLayout
    first: int
    last: int
    rows: IntArray
    starts: IntArray
    stops: IntArray

    @property
    def index_bits(self) -> int:
        """Return the chip's code for the bits of an index."""
        last = self.last - self.first - 1
        if self.layout.index is not None and len(self.rows):
            last = int(self.layout.index[self.rows, self.stops - 1].max()) - self.first
        sizes = SynapseConfig.INDEX_BITS_MAP
        return next((k for k, bits in enumerate(sizes) if 2**bits > last), len(sizes) - 1)

    def twinned(self) -> Share:
        """Return the share as a core that learns stores it: all-to-all, with silent twins."""
        rows, width = len(self.rows), 2 * (self.last - self.first)
        return SynapseLayout(rows, width, None, np.full(rows, width), None).share(0, width)

    def bits(self) -> int:
        """Return the bits of synapse memory that the share takes on the core, with headers."""
        config = SynapseConfig(**self.format())
        lengths, counts = np.unique(self.stops - self.starts, return_counts=True)
        pairs = zip(lengths.tolist(), counts.tolist(), strict=True)
        return sum(count * int(config.bits_per_axon(length)) for length, count in pairs)

    def format(self) -> dict[str, int]:
        """Return the chip's synapse format, without the exponent."""
        return {
            "compression": DENSE if self.layout.index is None else EXPLICIT,
            "idx_bits": self.index_bits,
            "fanout_type": MIXED,
            "n_synapses": SYNAPSES_PER_ENTRY,
            "weight_bits": WEIGHT_BITS,
        }

    def indices(self) -> list[Int32Array]:
        """Return the targets of each row counted from `first`, shape ``(1, synapses)`` each."""
        index = self.layout.index
        if index is None:
            return [np.arange(self.last - self.first, dtype=np.int32)[None, :]] * len(self.rows)
        return [index[None, k, a:b] - np.int32(self.first) for k, a, b in self._cuts()]

    def views(self, table: Int32Array) -> list[Int32Array]:
        """Return a view of each row's part of *table*, shape ``(1, synapses)`` each."""
        return [table[k : k + 1, a:b] for k, a, b in self._cuts()]

    def _cuts(self) -> Iterator[tuple[int, int, int]]:
        """Return row, first column and end column in the layout's table, row by row."""
        cuts = (self.rows.tolist(), self.starts.tolist(), self.stops.tolist())
        return zip(*cuts, strict=True)


class WeightTable:
    """Hold a projection's weights in one int32 array; the chip's synapses are views of its rows.

    A write therefore acts on the emulator at once, whether it reads row by row or the whole array,
    and however the postsynaptic neurons are split over cores.

    name: the projection's name.
    layout: which synapses it has.
    exponent: a weight is ``mantissa * 2**(6 + exponent)``.
    data: transmitted weight of each stored synapse, ``(rows, longest)``; memory lent for it, or
        None to have its own.
    """

    def __init__(
        self, name: str, layout: SynapseLayout, exponent: int, data: Int32Array | None = None
    ) -> None:
        self.name = name
        self.layout = layout
        self._exponent = exponent
        self._stored = layout.stored
        self.data = np.zeros(layout.shape, dtype=np.int32) if data is None else data

    def synapse(self, share: Share) -> Synapse:
        """Return the synapses of one core."""
        synapse = Synapse(len(share.rows), label=self.name)
        synapse.weights, synapse.indices = share.views(self.data), share.indices()
        synapse.format(**share.format(), weight_exp=self._exponent)
        return synapse

    def write(self, mantissa: Int32Array) -> None:
        """Write mantissas, in the shape of the projection's weights."""
        layout, scaled = self.layout, self._scaled(mantissa)
        if layout.index is None:
            self.data[...] = scaled.reshape(layout.shape)
        else:
            there = slice(None) if layout.mask is None else layout.mask.ravel()
            self.data[self._stored] = scaled.ravel()[there]

    def _scaled(self, mantissa: Int32Array) -> Int32Array:
        """Return the transmitted weights ``mantissa * 2**(6 + exponent)``."""
        # The lowest exponent halves the mantissa. Mantissas are even, so no bit is lost.
        return shifted(mantissa, 6 + self._exponent)


def shifted(x: Int32Array, bits: int) -> Int32Array:
    """Return *x* shifted left by *bits*, or right if *bits* is negative."""
    return x << bits if bits >= 0 else x >> -bits
