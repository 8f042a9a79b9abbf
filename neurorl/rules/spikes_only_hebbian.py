"""Learn from spikes and broadcasts only."""

from __future__ import annotations

import numpy as np

from neurorl.rules.base import Decision, Factors, Rule
from neurorl.rules.post_factors import counted, gated

__all__ = ["SPIKES_ONLY_HEBBIAN", "spikes_only_hebbian"]


def spikes_only_hebbian(d: Decision) -> Factors:
    """Compute ``f_out = phi s``, ``f_hid = phi b s``: `spikes_only` without saturation.

    The plain product of presynaptic trace, postsynaptic spike and broadcast. Ours.
    """
    hidden = tuple(counted(h.spikes.astype(np.float64), h.first) for h in d.hidden)
    return gated(d, counted(d.output.astype(np.float64), d.output_from), hidden)


SPIKES_ONLY_HEBBIAN = Rule("spikes-only-hebbian", spikes_only_hebbian)
