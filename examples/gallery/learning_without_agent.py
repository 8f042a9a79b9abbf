"""
Learn without an agent
======================

Reward a cell for spiking: a window, a reward, and the rule does the rest.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, load
from neurorl.models import CubaLIF

neuron = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0, noise=0.1)
plasticity = Plasticity(trace_tau=20e-3, low=0.0, high=0.1)
network = Network(
    nodes=(Source("input", 20), Population("cells", 5, neuron)),
    projections=(Projection("learns", "input", "cells", 0.03, plasticity=plasticity),),
    dt=1e-3,
)
rng = np.random.default_rng(0)
rates, weights = [], []
with load("reference", network, seed=1) as backend:
    learning = Learning(backend, "reward-stdp", rate=3e-4, eligibility_tau=1.0)
    for trial in range(300):
        spikes = learning.window({"input": rng.random((50, 20)) < 0.05}, 50)
        sign = 1.0 if trial < 150 else -1.0  # from trial 150 on spikes are punished
        learning.reinforce(sign * spikes["cells"].mean())
        rates.append(1000 * spikes["cells"].mean())
        weights.append(learning.weights("learns").mean())

# %%
figure, (upper, lower) = plt.subplots(2, figsize=(7, 4), sharex=True, layout="constrained")
upper.plot(rates)
upper.set_ylabel("rate of a cell (Hz)")
lower.plot(weights)
lower.set(xlabel="trial of 50 ms", ylabel="mean weight")
