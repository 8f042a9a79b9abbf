"""Learn from spikes and broadcasts only, less where a neuron saturates."""

from __future__ import annotations

from neurorl.rules.base import Decision, Factors, Rule
from neurorl.rules.post_factors import gated, unsaturated

__all__ = ["SPIKES_ONLY", "spikes_only"]


def spikes_only(d: Decision) -> Factors:
    """Compute ``f_out = phi (1 - n/W) s``, ``f_hid = phi b (1 - n/W) s``.

    n (1 - n/W) estimates W p (1 - p), so a neuron that saturates stops learning. W counts the steps
    that input can have reached. Ours; grew out of the papers' agreement rule.
    """
    hidden = tuple(unsaturated(h.spikes, h.first) for h in d.hidden)
    return gated(d, unsaturated(d.output, d.output_from), hidden)


SPIKES_ONLY = Rule("spikes-only", spikes_only, is_centred=True)
