"""Reinforce units that agree with the action taken, by the papers' rule.

Compute ``f = sgn(t y') (s - tanh z)``, which is ``t |y - tanh z|`` for the output.

t is +1 for modules of the action taken, else -1; y' = y(t+d) is the output of the unit's module
when its spike arrives there, d steps later. Not centred: it drifts while the mean of delta isn't 0.
Source: the public code of arXiv:1910.06489 (gridworld). Ours: steps of a window, more layers.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

AGREEMENT = Rule("agreement", output="2*(t*y)*(spike - p)")
