"""
See what Loihi's integers do to weights
=======================================

Load one network in floating point and in the chip's arithmetic, and compare the weights that are
in force.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Network, Population, Projection, Source, Uniform, load
from neurorl.models import CubaLIF

network = Network(
    (Source("input", 30), Population("cells", 30, CubaLIF(5e-3, 20e-3, threshold=1.0))),
    (Projection("drive", "input", "cells", Uniform(-0.4, 0.4)),),
)
with load("reference", network, seed=1) as exact, load("loihi", network, seed=1) as chip:
    described, rounded = exact.weights("drive").ravel(), chip.weights("drive").ravel()
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(described, rounded - described, ".", markersize=3)
axes.set(xlabel="weight as described", ylabel="weight on the chip, less that")
print(np.unique(rounded).size, "levels")
