"""
Connect sparsely
================

Draw ten synapses of a thousand, as lists: memory and time follow the synapses that are there.
"""

import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, Uniform, load, plot
from neurorl.models import LIF, FixedInDegree, FixedProbability

network = Network(
    (Source("input", 1000), Population("cells", 200, LIF(tau_mem=20e-3, threshold=1.0))),
    (
        Projection("drive", "input", "cells", 0.4, connect=FixedProbability(0.01)),
        Projection("loop", "cells", "cells", Uniform(-0.2, 0.0), connect=FixedInDegree(20, seed=3)),
    ),
)
print(network.weight_shape("drive"), network.weight_shape("loop"))
with load("reference", network, seed=1) as backend:
    with Recording(backend, ["cells.spikes"]) as recording:
        backend.step({"input": np.random.default_rng(1).random((200, 1000)) < 0.02}, 200)
figure = plot.raster(recording)
