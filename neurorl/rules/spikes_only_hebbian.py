"""Learn from spikes and broadcasts only.

Compute ``f = phi b s``: `spikes_only` without saturation.

The plain product of presynaptic trace, postsynaptic spike and broadcast. Ours.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

SPIKES_ONLY_HEBBIAN = Rule("spikes-only-hebbian", output="spike*(phi*b)")
