"""Multiply the spikes of both sides of a synapse with the TD error.

Compute ``f_hid = s`` and ``f_out = y``, each +-1, but 0 for outputs of other actions than the one
taken if the TD error isn't positive.

The code means to subtract expectations; two comparisons that are never true leave plain spikes.
Eligibilities last one decision.
Source: the public code of arXiv:1910.06489 for MountainCar (github.com/asneha213/spiking-agent-RL,
spiking_agent_mountaincar.py), as it runs. Ours: steps of a window, more layers; there hidden units
are shared by all actions, which a network of your own can have.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

AUTHORS_MOUNTAINCAR = Rule(
    "authors-mountaincar",
    output="where(t > 0 or M > 0, 2*spike - 1, 0)",
    hidden="2*spike - 1",
    eligibility_keep=0.0,
    needs_td_error=True,
)
