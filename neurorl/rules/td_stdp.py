"""Give spike-timing dependent plasticity feedback of the action."""

from __future__ import annotations

import numpy as np

from neurorl.rules.base import Decision, Factors, Rule
from neurorl.rules.post_factors import gated

__all__ = ["TD_STDP", "td_stdp"]


def td_stdp(d: Decision) -> Factors:
    """Compute ``f_out = phi s``, ``f_hid = phi b s``: `reward_stdp` with feedback of the action.

    Source: feedback-modulated TD-STDP, Chung & Kozma 2020 (arXiv:2008.13044), by its public code
    (github.com/stephen-chung-mh/td_stdp): eligibilities of pre trace x post spike, without
    depression, times 1[m = a] - pi_m. Ours: a gate once for each window, where theirs is filtered
    with 40 ms, hidden units, depression if you want it, which the gate then covers too. Units of
    no module are not gated.
    """
    gains = tuple(h.spikes.astype(np.float64) for h in d.hidden)
    return gated(d, d.output.astype(np.float64), gains)


TD_STDP = Rule(
    "td-stdp",
    td_stdp,
    needs_modules=False,
    pairs_spikes=True,
    gates_depression=True,
    needs_td_error=True,
)
