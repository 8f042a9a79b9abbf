"""Sum the weights of the spikes that arrive over a list of synapses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import FloatArray


class ListedArrivals:
    """Find the synapses of a projection at which spikes arrive.

    delays: steps to the arrival at each synapse; None if all have *delay*.
    """

    def __init__(
        self, synapses: SynapseList, delay: int, delays: npt.NDArray[np.int32] | None
    ) -> None:
        self._groups = [(delay, synapses, np.arange(0))]
        if delays is not None:
            self._groups = [(int(d), *synapses.part(delays == d)) for d in np.unique(delays)]
        self._is_whole = delays is None

    def add(
        self,
        q: FloatArray,
        spikes: npt.NDArray[np.bool_],
        weights: FloatArray,
        release: FloatArray | None = None,
    ) -> None:
        """Add the weights that arrive in this step to *q*.

        spikes: the last of the presynaptic node, newest last. weights: as transmitted, by synapse.
        release: what each of the spikes released; None is 1.
        """
        for delay, synapses, numbers in self._groups:
            reached = synapses.of(np.flatnonzero(spikes[-delay]))
            if len(reached):
                values = weights[reached if self._is_whole else numbers[reached]]
                if release is not None:
                    values = values * release[-delay][synapses.pre[reached]]
                q += np.bincount(synapses.post[reached], values, synapses.n_post)
