"""Train a spiking critic, whose value is the sum of its neurons' rates times b = +-1.

Compute ``f = b (1 - n/W) s``: the slope of the value, estimated from spikes as in `spikes_only`.

For critics only; the eligibility decays with gamma times ``lambda_critic``. Ours; after Fremaux,
Sprekeler & Gerstner 2013 (doi 10.1371/journal.pcbi.1003024): values as population rates.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

VALUE = Rule("value", output="spike*(1 - n/W)*b")
