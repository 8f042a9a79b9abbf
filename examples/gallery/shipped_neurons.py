"""
Compare the neurons that are shipped
====================================

Drive each with a constant input for a second, and count its spikes: f-I curves.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Network, Population, Projection, Source, load
from neurorl.models import ADAPTIVE_LIF, LIF, CubaLIF
from neurorl.network.neuron import Neuron

drives = np.linspace(0.0, 0.3, 31)
neurons: dict[str, Neuron] = {
    "LIF": LIF(tau_mem=20e-3, threshold=1.0),
    "CubaLIF": CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0),
    "ADAPTIVE_LIF": ADAPTIVE_LIF,
}


def rates(neuron: Neuron) -> np.ndarray:
    """Return the rate of a cell for each drive, in Hz."""
    network = Network(
        (Source("input", drives.size), Population("cells", drives.size, neuron)),
        (Projection("drive", "input", "cells", np.diag(drives)),),
        dt=1e-3,
    )
    with load("reference", network) as backend:
        spikes = backend.step({"input": np.ones((1000, drives.size), bool)}, 1000)
    return np.asarray(spikes["cells"].sum(axis=0))


figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for name, neuron in neurons.items():
    axes.plot(drives, rates(neuron), label=name)
axes.set(xlabel="weight of an input that spikes in every ms", ylabel="spikes a second")
axes.legend(frameon=False)
