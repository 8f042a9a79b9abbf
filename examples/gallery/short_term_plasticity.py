"""
Tire a synapse
==============

Give a projection the short-term plasticity of Tsodyks and Markram: depressing, and facilitating.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, TsodyksMarkram, load
from neurorl.models import LIF

kinds = {
    "depresses": TsodyksMarkram(U=0.5, tau_rec=0.8),  # seconds
    "facilitates": TsodyksMarkram(U=0.05, tau_rec=0.1, tau_facil=1.0),
}
spikes = np.zeros((800, 1), bool)
spikes[100:500:50] = True  # eight spikes at 20 Hz, and one later
spikes[700] = True
figure, panels = plt.subplots(len(kinds), figsize=(7, 4), sharex=True, layout="constrained")
for axes, (name, short_term) in zip(panels, kinds.items(), strict=True):
    network = Network(
        (Source("input", 1), Population("cells", 1, LIF(tau_mem=20e-3, threshold=100.0))),
        (Projection("drive", "input", "cells", 1.0, short_term=short_term),),
    )
    with load("reference", network) as backend:
        with Recording(backend, ["cells.voltage"]) as recording:
            backend.step({"input": spikes}, 800)
    axes.plot(recording["cells.voltage"][:, 0])
    axes.set_ylabel(f"voltage\n({name})")
panels[-1].set_xlabel("ms")
