"""
Give each synapse a delay
=========================

One spike, and ten synapses that bring it at times of their own.
"""

import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, load, plot
from neurorl.models import LIF, Synapses

cells = np.arange(10)
network = Network(
    (Source("input", 1), Population("cells", 10, LIF(tau_mem=5e-3, threshold=0.5))),
    (
        Projection(
            "drive",
            "input",
            "cells",
            1.0,
            connect=Synapses(np.zeros(10, int), cells),
            delay=1e-3 * (1 + 3 * cells),  # seconds
        ),
    ),
    dt=1e-3,
)
with load("reference", network) as backend:
    with Recording(backend, ["input.spikes", "cells.spikes"]) as recording:
        backend.step({"input": np.arange(40)[:, None] == 2}, 40)
figure = plot.raster(recording)
