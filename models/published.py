"""Hold neurons of the literature as equations, in mV, pA, nS and pF; times are in seconds.

``IZHIKEVICH.with_parameters(a=0.1, d=2.0)`` is another cell of the same kind.
"""

from __future__ import annotations

from neurorl.models.equations import Equations

__all__ = ["ADAPTIVE_LIF", "ADEX", "COBA_LIF", "IZHIKEVICH"]

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
"""Model the regular spiking cell of Izhikevich, IEEE Trans. Neural Networks 14 (2003), 1569."""

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
"""Model the adaptive exponential neuron of Brette and Gerstner, J. Neurophysiol. 94 (2005), 3637,
with its table of parameters."""

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
"""Model the conductance-based cell of benchmark 1 in Brette et al., J. Comput. Neurosci. 23 (2007),
349; conductances in units of the leak's."""

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
"""Model a leaky integrator whose threshold rises with every spike, after Bellec et al., NeurIPS
2018; input is added to the membrane."""
