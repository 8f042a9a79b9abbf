"""The weights of one projection as the chip stores them: a row of synapses for each axon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.vendor import Synapse, SynapseConfig
from neurorl.description import Network, Projection

__all__ = ["Layout", "WeightTable"]

WEIGHT_BITS = 7  # index into SynapseConfig.WEIGHT_BITS_MAP: 8 bits
SYNAPSES_PER_ENTRY = 63  # the chip's field is one less than the number, 64
MIXED = 1  # fanout type: excitatory and inhibitory weights, so mantissas are even
EXPLICIT, DENSE = 0, 3  # compression: with an index for each synapse, or all targets in order


@dataclass(frozen=True)
class Layout:
    """Which synapses a projection has, independent of their weights.

    rows: axons. targets: neurons of the postsynaptic population. index: target of each stored
    synapse, shape ``(rows, longest)``; None for all-to-all in order. lengths: stored synapses of
    each row; what is beyond is padding that keeps weight 0. mask: those stored, of the weights as
    ``(rows, neurons of a block)``; None for all.
    """

    rows: int
    targets: int
    index: npt.NDArray[np.int32] | None
    lengths: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_] | None

    @classmethod
    def of(cls, network: Network, projection: Projection) -> Layout:
        """Index lists for blocks, and for masks if that takes fewer bits; else all-to-all."""
        rows, targets = network.node(projection.pre).size, network.node(projection.post).size
        width = targets // projection.blocks
        mask = None if projection.mask is None else projection.mask.reshape(rows, width)
        dense = cls(rows, targets, None, np.full(rows, targets), None)
        if projection.blocks == 1 and (mask is None or not mask.any()):
            return dense
        first = np.arange(rows) // (rows // projection.blocks) * width
        sparse = cls._sparse(rows, targets, first, width, mask)
        # A thick mask: absent synapses are stored as weight 0, which is shorter and quicker.
        thick = projection.blocks == 1 and dense.bits() <= sparse.bits()
        return dense if thick else sparse

    @classmethod
    def _sparse(
        cls,
        rows: int,
        targets: int,
        first: npt.NDArray[np.int64],
        width: int,
        mask: npt.NDArray[np.bool_] | None,
    ) -> Layout:
        if mask is None or not mask.any():
            index = first[:, None] + np.arange(width)
            return cls(rows, targets, index.astype(np.int32), np.full(rows, width), None)
        lengths = mask.sum(axis=1)
        stored = np.arange(lengths.max()) < lengths[:, None]
        index = np.zeros(stored.shape, dtype=np.int32)
        index[stored] = (first[:, None] + np.arange(width))[mask]
        return cls(rows, targets, index, lengths, mask)

    @property
    def compression(self) -> int:
        """The chip's code for how targets are stored."""
        return DENSE if self.index is None else EXPLICIT

    @property
    def index_bits(self) -> int:
        """The chip's code for the bits of an index."""
        last = self.targets - 1 if self.index is None else int(self.index.max())
        sizes = SynapseConfig.INDEX_BITS_MAP
        return next((k for k, bits in enumerate(sizes) if 2**bits > last), len(sizes) - 1)

    def bits(self) -> int:
        """Synapse memory on the postsynaptic core, headers included."""
        config = SynapseConfig(**self.format())
        lengths, counts = np.unique(self.lengths, return_counts=True)
        return sum(
            int(count) * int(config.bits_per_axon(int(length)))
            for length, count in zip(lengths, counts, strict=True)
        )

    def format(self) -> dict[str, int]:
        """The chip's synapse format, without the exponent."""
        return {
            "compression": self.compression,
            "idx_bits": self.index_bits,
            "fanout_type": MIXED,
            "n_synapses": SYNAPSES_PER_ENTRY,
            "weight_bits": WEIGHT_BITS,
        }


class WeightTable:
    """One int32 array of which every row of a nengo-loihi synapse is a view.

    So a write acts on the emulator at once, whether it reads row by row or the whole array.

    exponent: of the projection; a weight is ``mantissa * 2**(6 + exponent)``.
    """

    def __init__(self, name: str, layout: Layout, exponent: int) -> None:
        self.layout = layout
        self._shift = 6 + exponent
        width = layout.targets if layout.index is None else layout.index.shape[1]
        self.data = np.zeros((layout.rows, width), dtype=np.int32)
        self._stored = np.arange(width) < layout.lengths[:, None]
        self.synapse = self._make_synapse(name, exponent)

    def _make_synapse(self, name: str, exponent: int) -> Synapse:
        layout = self.layout
        synapse = Synapse(layout.rows, label=name)
        lengths = layout.lengths.tolist()
        synapse.weights = [self.data[k : k + 1, :n] for k, n in enumerate(lengths)]
        if layout.index is None:
            order = np.arange(layout.targets, dtype=np.int32)[None, :]
            synapse.indices = [order] * layout.rows
        else:
            synapse.indices = [layout.index[k : k + 1, :n] for k, n in enumerate(lengths)]
        synapse.format(**layout.format(), weight_exp=exponent)
        return synapse

    def write(self, mantissa: npt.NDArray[np.int32]) -> None:
        """Put mantissas, in the shape of the projection's weights, in force."""
        rows = mantissa.reshape(self.layout.rows, -1)
        if self.layout.mask is not None:
            self.data[self._stored] = self._scaled(rows[self.layout.mask])
        else:
            self.data[...] = self._scaled(rows)

    def _scaled(self, mantissa: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        # The lowest exponent halves the mantissa; it is even, so nothing is lost.
        shift = self._shift
        return mantissa << shift if shift >= 0 else mantissa >> -shift

    def add(self, axons: npt.NDArray[np.intp], q: npt.NDArray[np.int32]) -> None:
        """Add the rows of the spiking *axons* to the inputs *q* of the postsynaptic neurons."""
        rows = self.data.take(axons, axis=0)
        if self.layout.index is None:
            q += np.add.reduce(rows, axis=0, dtype=np.int32)
        else:
            targets = self.layout.index.take(axons, axis=0).ravel()
            # bincount sums in float64, exactly: |sum| < 2**53
            q += np.bincount(targets, rows.ravel(), len(q)).astype(np.int32)
