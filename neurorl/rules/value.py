"""Teach a spiking critic its value: its neurons' rates, half of which count with b = -1.

Compute ``f = b (1 - n/W) s``: the slope of the value, estimated from spikes as in `spikes_only`.

The rule of critics alone, whose eligibility is kept with gamma times ``lambda_critic``. Ours, with
the idea of Fremaux, Sprekeler & Gerstner 2013 (doi 10.1371/journal.pcbi.1003024) that the rate of a
population is the value.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

__all__ = ["VALUE"]

VALUE = Rule("value", output="spike*(1 - n/W)*b")
