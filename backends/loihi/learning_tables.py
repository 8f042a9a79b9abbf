"""The weights of a projection that learns on the chip: a table of its own for each core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.synapses import Layout, Share, WeightTable
from neurorl.backends.loihi.vendor import Synapse
from neurorl.description import Network, Projection

__all__ = ["LearningPart", "LearningTable"]

_RATE_EXPONENT = -7  # the chip's rate is 2**-7; nengo-loihi never takes another


@dataclass(frozen=True, eq=False)
class LearningPart:
    """The synapses of one projection on one core that learns.

    post: the population; first, last: its neurons there. rows: presynaptic neurons, consecutive, an
    axon each. columns: of the projection's weights as ``(n_pre, neurons of a block)``. data: what
    is transmitted, ``(rows, 2n)``: to the n neurons, then to their silent twins.
    """

    post: str
    first: int
    last: int
    rows: slice
    columns: slice
    data: npt.NDArray[np.int32]
    synapse: Synapse

    @property
    def own(self) -> npt.NDArray[np.int32]:
        """A view of what the neurons themselves get."""
        return self.data[:, : self.last - self.first]


class LearningTable(WeightTable):
    """Weights that the emulator changes. magnitude: what a spike adds to its trace, at most 127."""

    def __init__(
        self,
        network: Network,
        projection: Projection,
        layout: Layout,
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
        """The synapses of one core, which become one of `parts`."""
        twinned = share.twinned()
        data = np.zeros((len(twinned.rows), twinned.last), dtype=np.int32)
        synapse = Synapse(len(data), label=self.name)
        synapse.weights, synapse.indices = twinned.views(data), twinned.indices()
        synapse.format(**twinned.format(), weight_exp=self._exponent)
        synapse.set_learning(
            tracing_tau=self._tau, tracing_mag=self._magnitude, wgt_exp=self._exponent
        )
        synapse.learning_rate = 2.0**_RATE_EXPONENT
        synapse._lr_int, synapse._lr_exp = 1, _RATE_EXPONENT
        rows = slice(int(share.rows[0]), int(share.rows[-1]) + 1)
        columns = slice(int(share.starts[0]), int(share.stops[0]))
        self.parts.append(
            LearningPart(self._post, share.first, share.last, rows, columns, data, synapse)
        )
        return synapse

    def write(self, mantissa: npt.NDArray[np.int32]) -> None:
        """Put mantissas, in the shape of the projection's weights, in force."""
        scaled = self._scaled(mantissa.reshape(self.layout.rows, -1))
        for part in self.parts:
            part.data[...] = 0
            part.own[...] = scaled[part.rows, part.columns]

    def transmitted(self) -> npt.NDArray[np.int32]:
        """A copy of what spikes transmit now, ``(n_pre, neurons of a block)``."""
        weights = np.empty((self.layout.rows, self._width), dtype=np.int32)
        for part in self.parts:
            weights[part.rows, part.columns] = part.own
        return weights
