"""
Write files for other libraries
===============================

Write a trained network as NIR, read it back, and see every spike again.
"""

import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, Uniform, load, plot
from neurorl.models import CubaLIF
from neurorl.nir import reader_problems, to_nir

neuron = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0)
network = Network(
    (Source("input", 20), Population("cells", 30, neuron), Population("output", 5, neuron)),
    (
        Projection("up", "input", "cells", Uniform(0.0, 0.3)),
        Projection("out", "cells", "output", Uniform(0.0, 0.2)),
    ),
)
inputs = {"input": np.random.default_rng(0).random((200, 20)) < 0.1}
with load("reference", network, seed=1) as backend:
    weights = {name: backend.weights(name) for name in ("up", "out")}
    with Recording(backend, ["cells.spikes", "output.spikes"]) as recording:
        backend.step(inputs, 200)
figure = plot.raster(recording)

# %%
for reader in ("snntorch", "norse", "spikingjelly"):
    print(reader, reader_problems(network, weights, reader=reader) or "reads it")
to_nir(network, weights, "network.nir")
