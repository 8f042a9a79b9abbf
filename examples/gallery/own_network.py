"""
Describe a network
==================

Describe sources, populations and projections; load the description on a simulator; look at
spikes.
"""

import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, Uniform, load, plot
from neurorl.models import CubaLIF

neuron = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0, noise=0.1)
network = Network(
    nodes=(Source("input", 10), Population("cells", 50, neuron)),
    projections=(
        Projection("drive", "input", "cells", Uniform(0.0, 0.12)),
        Projection("inhibition", "cells", "cells", -0.02),
    ),
    dt=1e-3,
)
inputs = {"input": np.random.default_rng(0).random((300, 10)) < 0.2}

# %%
# The context manager frees what the simulator holds.
with load("reference", network, seed=7) as backend:
    with Recording(backend, ["input.spikes", "cells.spikes"]) as recording:
        backend.step(inputs, 300)
figure = plot.raster(recording)
