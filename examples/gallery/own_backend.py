"""
Write a backend
===============

Write the simulator of a step, and agents, validation and recording work with it.
"""

import sys
from pathlib import Path

import numpy as np

from neurorl import Network, Population, Projection, Source, Uniform, load
from neurorl.models import LIF

# The example backend is a package (``pip install examples/backend``); here it is read from its
# folder.
folders = [parent / "examples" / "backend" for parent in (Path.cwd(), *Path.cwd().parents)]
sys.path += [str(folder) for folder in folders if folder.is_dir()]
from neurorl_events import EventsSimulator  # noqa: E402

network = Network(
    (Source("input", 10), Population("cells", 20, LIF(tau_mem=20e-3, threshold=1.0, noise=0.1))),
    (Projection("drive", "input", "cells", Uniform(0.0, 0.3)),),
)
inputs = {"input": np.random.default_rng(0).random((500, 10)) < 0.1}

# %%
# It is loaded by its class (or by a name that its package registers), and held to the reference's
# bits.
with load(EventsSimulator, network, seed=5) as own, load("reference", network, seed=5) as ours:
    spikes = own.step(inputs, 500)["cells"]
    assert np.array_equal(spikes, ours.step(inputs, 500)["cells"])
print(spikes.sum(), "spikes, all equal")

# %%
# What it can't do, it says before anything is built.
print(EventsSimulator.capabilities)
