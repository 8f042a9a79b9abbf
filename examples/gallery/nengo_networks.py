"""
Run a nengo network
===================

Read a nengo network, run it on another simulator, and compare every spike with nengo's own.
"""

import warnings

import matplotlib.pyplot as plt
import nengo
import numpy as np

from neurorl import load
from neurorl.nengo import from_nengo

warnings.simplefilter("ignore")  # nengo-loihi warns of every nengo newer than 3.2
rng = np.random.default_rng(0)
heights = 1000.0 * (rng.random((200, 8)) < 0.1)  # a spike is 1/dt high
with nengo.Network(seed=0) as network:
    stimulus = nengo.Node(lambda t: heights[round(t * 1000) - 1], label="stimulus")
    cells = nengo.Ensemble(20, 1, neuron_type=nengo.LIF(), label="cells")
    weights = rng.uniform(0, 0.1, (20, 8))
    nengo.Connection(stimulus, cells.neurons, transform=weights, synapse=0.005)
    nengo.Connection(cells.neurons, cells.neurons, transform=-0.02, synapse=0.01)
    probe = nengo.Probe(cells.neurons)

# %%
# nengo's neurons spike within a step: as equations they do so here, too.
imported = from_nengo(network, "equations")
with load("reference", imported.network, record=imported.record) as backend:
    ours = imported.spikes(probe, backend.step(imported.inputs(200), 200))
with nengo.Simulator(network, progress_bar=False) as simulator:
    simulator.run_steps(200)
theirs = simulator.data[probe] > 0
print(theirs.sum(), "spikes;", (ours != theirs).sum(), "differ")

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(*np.nonzero(theirs), "o", markersize=7, fillstyle="none", label="nengo")
axes.plot(*np.nonzero(ours), ".", markersize=4, label="here")
axes.set(xlabel="ms", ylabel="neuron")
axes.legend(frameon=False, loc="upper right")
