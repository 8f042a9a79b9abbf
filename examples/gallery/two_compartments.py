"""
Couple two compartments by a conductance
========================================

A neuron of several compartments is one neuron with a membrane variable for each: here Pinsky and
Rinzel's (1994), a soma that spikes and a dendrite whose calcium makes it burst. A source of values
injects the current.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorl import Network, Population, Projection, Recording, Source, load
from neurorl.models import Equations

# Rates are per ms, and equations are in seconds, so derivatives are times 1000. Membranes are in mV
# from rest, conductances in mS/cm2, the current i in uA/cm2.
PINSKY_RINZEL = Equations(
    """
    dvs/dt = 1e3*(-0.1*vs - 30*m_inf**2*h*(vs - 120) - 15*n*(vs + 15) + g_c/p*(vd - vs) + i/p)/3
    dvd/dt = 1e3*(-0.1*vd - i_ca - 0.8*w*(vd + 15) - 15*c*chi*(vd + 15) + g_c/(1 - p)*(vs - vd))/3
    dh/dt = 1e3*(0.128*exp((17 - vs)/18)*(1 - h) - 4/(1 + exp((40 - vs)/5))*h)
    dn/dt = 1e3*(0.016*(35.1 - vs)/(exp((35.1 - vs)/5) - 1)*(1 - n) - 0.25*exp(0.5 - 0.025*vs)*n)
    ds/dt = 1e3*(1.6/(1 + exp(0.072*(65 - vd)))*(1 - s) - b_s*s)
    dc/dt = 1e3*(a_c*(1 - c) - b_c*c)
    dw/dt = 1e3*(min(2e-5*ca, 0.01)*(1 - w) - 0.001*w)
    dca/dt = 1e3*(-0.13*i_ca - 0.075*ca)
    i_ca = 10*s**2*(vd - 140)
    chi = min(ca/250, 1)
    m_inf = a_m/(a_m + b_m)
    a_m = 0.32*(13.1 - vs)/(exp((13.1 - vs)/4) - 1)
    b_m = 0.28*(vs - 40.1)/(exp((vs - 40.1)/5) - 1)
    a_c = where(vd > 50, slow, exp((vd - 10)/11 - (vd - 6.5)/27)/18.975)
    b_c = where(vd > 50, 0, slow - a_c)
    b_s = 0.02*(vd - 51.1)/(exp((vd - 51.1)/5) - 1)
    slow = 2*exp((6.5 - vd)/27)
    """,
    threshold="vs > 30",
    method="rk4",
    refractory=3e-3,  # one spike for each peak; nothing is held meanwhile
    held=(),
    parameters={"g_c": 2.1, "p": 0.5},
    initial={
        "vs": -4.6,
        "vd": -4.5,
        "h": 0.999,
        "n": 0.001,
        "s": 0.009,
        "c": 0.007,
        "w": 0.01,
        "ca": 0.2,
    },
    inputs=("i",),
)
network = Network(
    (Source("electrode", 1, kind="values"), Population("cell", 1, PINSKY_RINZEL)),
    (Projection("current", "electrode", "cell", 1.0),),
    dt=5e-5,
)

current = np.where(np.arange(10_000) > 1000, 0.75, 0.0)[:, None]
names = ["cell.vs", "cell.vd", "cell.ca"]
with load("native", network) as backend, Recording(backend, names) as seen:
    spikes = backend.step({"electrode": current}, len(current))["cell"]
print("spikes at", np.round(np.flatnonzero(spikes) * network.dt * 1e3, 1), "ms")
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
t = 1e3 * network.dt * seen.times("cell.vs")
axes.plot(t, seen["cell.vs"], label="soma")
axes.plot(t, seen["cell.vd"], label="dendrite")
axes.set(xlabel="t (ms)", ylabel="mV from rest")
axes.legend(frameon=False)
