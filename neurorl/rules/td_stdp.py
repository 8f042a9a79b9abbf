"""Give spike-timing dependent plasticity feedback of the action.

Compute ``f = phi b s``: `reward_stdp` with feedback of the action.

Source: feedback-modulated TD-STDP, Chung & Kozma 2020 (arXiv:2008.13044), by its public code
(github.com/stephen-chung-mh/td_stdp): eligibilities of pre trace x post spike, without depression,
times 1[m = a] - pi_m. Ours: one gate per window, where theirs is filtered with 40 ms; hidden units;
optional depression, which is gated too. Units outside of modules are not gated.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

TD_STDP = Rule(
    "td-stdp",
    output="spike*(phi*b)",
    pairs_spikes=True,
    gates_depression=True,
    needs_td_error=True,
)
