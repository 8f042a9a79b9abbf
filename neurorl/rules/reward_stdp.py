"""Modulate spike-timing dependent plasticity by reward."""

from __future__ import annotations

import numpy as np

from neurorl.rules.base import Decision, Factors, Rule

__all__ = ["REWARD_STDP", "reward_stdp"]


def reward_stdp(d: Decision) -> Factors:
    """Compute ``f = s``: a neuron's spike adds the traces of its inputs (pair-based STDP).

    Source: reward-modulated STDP with eligibility, Izhikevich 2007 (doi 10.1093/cercor/bhl152),
    Florian 2007 (doi 10.1162/neco.2007.19.6.1468).
    """
    hidden = tuple(h.spikes.astype(np.float64) for h in d.hidden)
    return Factors(d.output.astype(np.float64), hidden)


REWARD_STDP = Rule("reward-stdp", reward_stdp, needs_modules=False, pairs_spikes=True)
