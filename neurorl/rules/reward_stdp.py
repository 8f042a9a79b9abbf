"""Modulate spike-timing dependent plasticity by reward.

Compute ``f = s``: a neuron's spike adds the traces of its inputs (pair-based STDP).

Source: reward-modulated STDP with eligibility, Izhikevich 2007 (doi 10.1093/cercor/bhl152),
Florian 2007 (doi 10.1162/neco.2007.19.6.1468).
"""

from __future__ import annotations

from neurorl.rules.base import Rule

REWARD_STDP = Rule("reward-stdp", output="spike", pairs_spikes=True)
