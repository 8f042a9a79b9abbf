"""Learn from spikes and broadcasts only, less where a neuron saturates.

Compute ``f = phi b (1 - n/W) s``.

n (1 - n/W) estimates W p (1 - p), so a neuron that saturates stops learning. W counts the steps
that input can have reached. Ours, developed from the papers' agreement rule.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

SPIKES_ONLY = Rule("spikes-only", output="spike*(1 - n/W)*(phi*b)", is_centred=True)
