"""
Draw the window of STDP
=======================

Pair one spike before with one after, at each lag, and reward it: how much the weight changes.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, load
from neurorl.models import LIF

lags = np.arange(-40, 41)
plasticity = Plasticity(trace_tau=20e-3, low=0.0, high=2.0)
network = Network(
    nodes=(Source("before", 1), Source("makes", 1), Population("cell", 1, LIF(threshold=0.5))),
    projections=(
        Projection("learns", "before", "cell", 0.1, plasticity=plasticity),
        Projection("forces", "makes", "cell", 1.0),
    ),
    dt=1e-3,
)


def change(lag: int) -> float:
    """Return the change of the weight when the cell spikes *lag* ms after its input."""
    steps = np.arange(100)[:, None]
    inputs = {"before": steps == 50, "makes": steps == 50 + lag}
    with load("reference", network) as backend:
        learning = Learning(backend, "reward-stdp", rate=0.01, depression=1.0)
        learning.window(inputs, 100)
        before = learning.weights("learns").item()
        learning.reinforce(1.0)
        return float(learning.weights("learns").item() - before)


figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(lags, [change(int(lag)) for lag in lags], ".-")
axes.axhline(0, color="0.7", linewidth=0.8)
axes.set(xlabel="ms from the input's spike to the cell's", ylabel="change of weight")
