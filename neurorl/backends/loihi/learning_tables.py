"""Store the weights of a projection that learns on the chip, in one table for each core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.synapses import Share, SynapseLayout, WeightTable
from neurorl.backends.loihi.vendor import Synapse
from neurorl.network.description import Network, Projection

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
    data: npt.NDArray[np.int32]
    synapse: Synapse

    @property
    def own(self) -> npt.NDArray[np.int32]:
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

    def write(self, mantissa: npt.NDArray[np.int32]) -> None:
        """Write mantissas, in the shape of the projection's weights."""
        scaled = self._scaled(mantissa.reshape(self.layout.rows, -1))
        for part in self.parts:
            part.data[...] = 0
            part.own[...] = scaled[part.rows, part.columns]

    def transmitted(self) -> npt.NDArray[np.int32]:
        """Return a copy of the transmitted weights, ``(n_pre, neurons of a block)``."""
        weights = np.empty((self.layout.rows, self._width), dtype=np.int32)
        for part in self.parts:
            weights[part.rows, part.columns] = part.own
        return weights
