"""Hold neurons of the literature as equations, in mV, pA, nS and pF; times are in seconds.

``IZHIKEVICH.with_parameters(a=0.1, d=2.0)`` is another cell of the same kind.
"""

from __future__ import annotations

from neurorl.models.neurons.equations import Equations

IZHIKEVICH = Equations(
    """
    dv/dt = (0.04*v**2 + 5*v + 140 - u + q)/ms
    du/dt = a*(b*v - u)/ms
    """,
    threshold="v >= 30",
    reset="v = c; u += d",
    method="euler",
    parameters={"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "ms": 1e-3},
    initial={"v": -65.0, "u": -13.0},
)
"""Model the regular spiking cell of Izhikevich.

v: membrane potential, mV.
u: recovery variable, mV.
q: input, mV a millisecond, of the spikes of one step.
a: rate of recovery, 1/ms, > 0.
b: how strongly v drives u, no unit.
c: v after a spike, mV, below 30.
d: what a spike adds to u, mV.
ms: a millisecond, s.

Source: Izhikevich, IEEE Trans. Neural Networks 14 (2003), 1569, doi 10.1109/TNN.2003.820440.
"""

ADEX = Equations(
    """
    dv/dt = (gL*(EL - v) + gL*DT*exp((v - VT)/DT) - w + q)/(C*ms)
    dw/dt = (a*(v - EL) - w)/tau_w
    """,
    threshold="v > v_cut",
    reset="v = v_reset; w += b",
    method="euler",
    parameters={
        "C": 281.0,
        "gL": 30.0,
        "EL": -70.6,
        "VT": -50.4,
        "DT": 2.0,
        "ms": 1e-3,
        "tau_w": 144e-3,
        "a": 4.0,
        "b": 80.5,
        "v_reset": -70.6,
        "v_cut": -40.4,
    },
    initial={"v": -70.6},
)
"""Model the adaptive exponential neuron of Brette and Gerstner, with its table of parameters.

v: membrane potential, mV.
w: adaptation current, pA.
q: input current, pA, of the spikes of one step.
C: capacitance, pF, > 0.
gL: conductance of the leak, nS, > 0.
EL: potential of the leak, mV.
VT: threshold of the exponential, mV.
DT: slope factor of the exponential, mV, > 0.
ms: a millisecond, s.
tau_w: time constant of adaptation, s, > 0.
a: adaptation below threshold, nS.
b: what a spike adds to w, pA.
v_reset: v after a spike, mV, below v_cut.
v_cut: where the spike is cut off, mV, above VT.

Source: Brette and Gerstner, J. Neurophysiol. 94 (2005), 3637, doi 10.1152/jn.00686.2005.
"""

COBA_LIF = Equations(
    """
    dv/dt = (EL - v + ge*(Ee - v) + gi*(Ei - v))/tau_m
    dge/dt = -ge/tau_e
    dgi/dt = -gi/tau_i
    """,
    threshold="v > VT",
    reset="v = v_reset",
    method="exponential_euler",
    parameters={
        "EL": -60.0,
        "Ee": 0.0,
        "Ei": -80.0,
        "VT": -50.0,
        "v_reset": -60.0,
        "tau_m": 20e-3,
        "tau_e": 5e-3,
        "tau_i": 10e-3,
    },
    initial={"v": -60.0},
    refractory=5e-3,
    inputs=("ge", "gi"),
)
"""Model a leaky cell with conductances, in units of the leak's.

v: membrane potential, mV.
ge: excitatory conductance, of the leak's, >= 0; spikes add to it.
gi: inhibitory conductance, of the leak's, >= 0; spikes add to it.
EL: potential of the leak, mV.
Ee: potential of excitatory synapses, mV, above VT.
Ei: potential of inhibitory synapses, mV.
VT: threshold, mV.
v_reset: v after a spike, mV, below VT.
tau_m: time constant of the membrane, s, > 0.
tau_e: time constant of the excitatory conductance, s, > 0.
tau_i: time constant of the inhibitory conductance, s, > 0.

Source: benchmark 1 of Brette et al., J. Comput. Neurosci. 23 (2007), 349, doi
10.1007/s10827-007-0038-6.
"""

ADAPTIVE_LIF = Equations(
    """
    dv/dt = -v/tau_m
    da/dt = -a/tau_a
    """,
    threshold="v > v_t + beta*a",
    reset="v -= v_t; a += 1",
    method="exact",
    parameters={"tau_m": 20e-3, "tau_a": 200e-3, "v_t": 1.0, "beta": 0.1},
    held=(),
    inputs=("v",),
)
"""Model a leaky integrator whose threshold rises with every spike; input adds to the membrane.

v: membrane, no unit.
a: what is left of spikes, a count.
tau_m: time constant of the membrane, s, > 0.
tau_a: time constant of the threshold, s, > 0.
v_t: threshold at rest, and what a spike takes off v, as v, > 0.
beta: what a spike adds to the threshold, as v, >= 0.

Source: after Bellec et al., NeurIPS 2018 (arXiv:1803.09574).
"""
