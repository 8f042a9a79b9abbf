"""
Run a description by PyNN
=========================

Build a description of PyNN's standard cells, run it on Brian2's own neurons, and compare.
"""

import brian2
import matplotlib.pyplot as plt
import numpy as np
import pyNN.brian2 as sim

from neurorl import Network, Population, Projection, Source, Uniform, load
from neurorl.models import CubaLIF
from neurorl.pynn import to_pynn

brian2.prefs.codegen.target = "numpy"  # nothing to compile
cells = Population("cells", 20, CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0))
drive = Projection("drive", "input", "cells", Uniform(0.0, 0.15))
loop = Projection("loop", "cells", "cells", -0.02, delay=3e-3)
network = Network((Source("input", 10), cells), (drive, loop), dt=1e-3)
raster = np.random.default_rng(0).random((200, 10)) < 0.15

with load("reference", network, seed=1) as backend:
    ours = backend.step({"input": raster}, 200)["cells"]
exported = to_pynn(network, sim, {"input": raster}, seed=1)
theirs = exported.run(200)["cells"]
sim.end()
print(ours.sum(), "spikes here,", theirs.sum(), "by pyNN.brian2;", (ours != theirs).sum(), "differ")

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(*np.nonzero(theirs), "o", markersize=7, fillstyle="none", label="pyNN.brian2")
axes.plot(*np.nonzero(ours), ".", markersize=4, label="reference")
axes.set(xlabel="ms", ylabel="neuron")
axes.legend(frameon=False, loc="upper right")
