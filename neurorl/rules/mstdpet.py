"""Modulate spike timing by reward with an eligibility trace (MSTDPET).

Compute ``f = s / tau_z`` and for a spike that arrives ``- y / tau_z``, y the neuron's trace, so
that ``tau_z de/dt = -e + STDP``, tau_z in ms.

Source: Florian 2007 (doi 10.1162/neco.2007.19.6.1468), with the constants of ngc-learn's lecture on
reward-modulated STDP (docs/tutorials/neurocog): A+ = A- = 1, both traces 20 ms, tau_z = 25 ms; its
learning rate 0.2/25 is the caller's ``rate``, and its presynaptic trace of 20 ms the projection's
``trace_tau``. Ours: pairs enter the eligibility in their own step, there a step later.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

MSTDPET = Rule(
    "mstdpet",
    output="spike/25",
    pairs_spikes=True,
    eligibility_tau=0.025,
    post_tau=0.02,
    depression=0.04,
    modulator="reward",
)
