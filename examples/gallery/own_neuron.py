"""
Write a neuron
==============

Write a neuron's equations as text: Izhikevich's model, in two of its regimes.
"""

import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, load, plot
from neurorl.models import Equations

izhikevich = Equations(
    """
    dv/dt = (0.04*v*v + 5*v + 140 - u + I)/ms  # mV
    du/dt = a*(b*v - u)/ms
    """,
    threshold="v >= 30",
    reset="v = c; u += d",
    method="euler",
    parameters={"ms": 1e-3, "a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0},
    initial={"v": -65.0, "u": -13.0},
    inputs=("I",),
)
chattering = izhikevich.with_parameters(c=-50.0, d=2.0)
network = Network(
    (
        Source("current", 1, kind="current"),
        Population("regular", 1, izhikevich),
        Population("chatters", 1, chattering),
    ),
    (
        Projection("to_regular", "current", "regular", 10.0),
        Projection("to_chatters", "current", "chatters", 10.0),
    ),
    dt=0.25e-3,
)

# %%
# A constant current of 10 for a quarter of a second.
names = ["regular.v", "chatters.v", "regular.u"]
with load("reference", network) as backend, Recording(backend, names) as recording:
    backend.step({"current": np.ones(1)}, 1000)
figure = plot.traces(recording)
