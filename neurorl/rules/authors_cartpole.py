"""Reinforce the modules of the action taken, and those of others if they were silent.

Compute ``f = s - tanh z`` in modules of the action taken; in others ``f = -y' (s - tanh z)``.

As `agreement`, but without its sign in modules of the action taken. y' is the output in the step in
which the unit's spike arrives there. Eligibilities last one decision.
Source: the public code of arXiv:1910.06489 for CartPole (github.com/asneha213/spiking-agent-RL,
spiking_agent_cartpole.py). Ours: steps of a window, more layers. It drifts while the mean of delta
isn't 0.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

AUTHORS_CARTPOLE = Rule(
    "authors-cartpole",
    output="where(t > 0, 2*(spike - p), -2*y*(spike - p))",
    eligibility_keep=0.0,
)
