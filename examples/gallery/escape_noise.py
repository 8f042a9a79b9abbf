"""
Spike by chance
===============

A neuron with escape noise spikes with a probability that rises with its voltage: it is the agent
of its own task.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Network, Population, Projection, Source, load
from neurorl.models import LIF

drives = np.linspace(0.0, 1.0, 41)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for noise in (0.0, 0.05, 0.2):
    neuron = LIF(tau_mem=1e-3, threshold=0.5, noise=noise)
    network = Network(
        (Source("input", 41), Population("cells", 41, neuron)),
        (Projection("drive", "input", "cells", np.diag(drives)),),
    )
    with load("reference", network, seed=3) as backend:
        spikes = backend.step({"input": np.ones((2000, 41), bool)}, 2000)["cells"]
    axes.plot(drives, spikes.mean(axis=0), label=f"noise {noise}")
axes.set(
    xlabel="weight of an input that spikes in every step", ylabel="share of steps with a spike"
)
axes.legend(frameon=False)
