"""Modulate the triplet rule of spike timing by dopamine.

Compute ``f = A3+ o2 s``, o2 the slow trace of the neuron's own spikes before this one, and for a
spike that arrives ``- A2- o1``, o1 the neuron's fast trace.

Source: Pfister & Gerstner 2006 (doi 10.1523/JNEUROSCI.1425-06.2006), the minimal all-to-all model
of visual cortex: A2+ = 0, A3+ = 0.0065, A2- = 0.0071, A3- = 0, tau- = 33.7 ms, tau_y = 114 ms; tau+
= 16.8 ms is the projection's ``trace_tau``. The combination with a later reward, as in Izhikevich
2007 (doi 10.1093/cercor/bhl152), is ours.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

TRIPLET_STDP = Rule(
    "triplet-stdp",
    output="0.0065*slow*spike",
    pairs_spikes=True,
    post_tau=0.0337,
    depression=0.0071,
    slow_tau=0.114,
    modulator="dopamine",
)
