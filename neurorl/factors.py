"""The second factor: what a postsynaptic neuron adds to the eligibility of its synapses.

The members of the family differ only here. For one decision, with ``phi_m = 1[m = a] - pi_m`` for
the module m that a neuron belongs to (a the action taken, pi the policy; broadcast to the module):

==================  ===================================  =====================================
rule                output neuron, step t                hidden neuron, step t
==================  ===================================  =====================================
`centred_feedback`  phi |y - tanh z|                     phi y(t+1) (s - tanh z)
`spikes_only`       phi (1 - n/W) spike                  phi b (1 - n/W) spike
`reward_stdp`       spike                                spike
==================  ===================================  =====================================

y, s in {-1, +1} are output and hidden units of the papers' kind and ``tanh z = 2p - 1`` their
expectation; n is the neuron's own count of spikes in the window and b = +-1 the sign of its output
weight before learning. E[phi | votes] = 0, so an error of the critic causes no drift.

`reward_stdp` knows nothing of the decision; its modulator is the reward. Only it also has a term
for spikes that arrive after the neuron's own, see `neurorl.learner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.errors import unknown

__all__ = [
    "RULES",
    "Decision",
    "Factors",
    "centred_feedback",
    "feedback",
    "reward_stdp",
    "rule",
    "spikes_only",
]

Array = npt.NDArray[np.float64]
Raster = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Decision:
    """One window, and the action that came of it; W steps.

    phi: ``(n_actions,)``. output, hidden: rasters ``(W, n)``; hidden None without that layer.
    output_p, hidden_p: spike probabilities ``(W, n)`` given the input, None if the rule needs none.
    output_from, hidden_from: first step that input can have reached. signs: ``(n_hidden,)`` of +-1.
    """

    phi: Array
    output: Raster
    hidden: Raster | None
    output_from: int
    hidden_from: int
    signs: Array
    output_p: Array | None = None
    hidden_p: Array | None = None


@dataclass(frozen=True)
class Factors:
    """Post factors ``(W, n)`` of the two layers."""

    output: Array
    hidden: Array | None


def feedback(action: int, policy: Array) -> Array:
    """``phi_m = 1[m = action] - policy_m``, shape ``(n_actions,)``."""
    phi = -policy
    phi[action] += 1.0
    return phi


def spikes_only(d: Decision) -> Factors:
    """Mode 17: spikes and broadcasts only, a neuron that saturates stops learning.

    ``f_out = phi (1 - n/W) s``, ``f_hid = phi b (1 - n/W) s``; n(1 - n/W) estimates W p (1 - p).
    W counts the steps that input can have reached. Ours; grew out of the papers' agreement rule.
    """
    output = _unsaturated(d.output, d.output_from) * _spread(d.phi, d.output.shape[1])
    if d.hidden is None:
        return Factors(output, None)
    gate = _spread(d.phi, d.output.shape[1]).repeat(d.hidden.shape[1] // d.output.shape[1])
    return Factors(output, _unsaturated(d.hidden, d.hidden_from) * (gate * d.signs))


def centred_feedback(d: Decision) -> Factors:
    """Mode 13: the papers' agreement rule with the agreement centred by the policy.

    ``f_out = phi |y - tanh z|``, ``f_hid = phi y' (s - tanh z)``, y' the output of the unit's own
    module in the step after, when its spike arrives. Source: the agreement rule of
    arXiv:1910.06489 (its code), centred by phi as in decision feedback (Urbanczik & Senn 2009).
    """
    assert d.output_p is not None
    phi = _spread(d.phi, d.output.shape[1])
    output = 2.0 * phi * np.abs(d.output - d.output_p)
    output[: d.output_from] = 0.0
    if d.hidden is None:
        return Factors(output, None)
    assert d.hidden_p is not None
    answer = np.zeros(d.output.shape)
    answer[:-1] = phi * (2.0 * d.output[1:] - 1.0)
    per_module = d.hidden.shape[1] // d.output.shape[1]
    hidden = 2.0 * answer.repeat(per_module, axis=1) * (d.hidden - d.hidden_p)
    hidden[: d.hidden_from] = 0.0
    return Factors(output, hidden)


def reward_stdp(d: Decision) -> Factors:
    """Pair-based STDP: ``f = s``, so that a neuron's spike adds the traces of its inputs.

    Source: reward-modulated STDP with eligibility, Izhikevich 2007 (doi 10.1093/cercor/bhl152),
    Florian 2007 (doi 10.1162/neco.2007.19.6.1468).
    """
    hidden = None if d.hidden is None else d.hidden.astype(np.float64)
    return Factors(d.output.astype(np.float64), hidden)


RULES: dict[str, Callable[[Decision], Factors]] = {
    "centred-feedback": centred_feedback,
    "reward-stdp": reward_stdp,
    "spikes-only": spikes_only,
}

NEEDS_PROBABILITY = frozenset({"centred-feedback"})


def rule(name: str) -> Callable[[Decision], Factors]:
    """The post factors of a rule by its name."""
    if name not in RULES:
        raise unknown("rule", name, RULES)
    return RULES[name]


def _spread(per_action: Array, n: int) -> Array:
    """A number for each action -> one for each module, actors in the outer order."""
    return np.tile(per_action, n // len(per_action))


def _unsaturated(spikes: Raster, first: int) -> Array:
    counted = spikes[first:]
    gain = 1.0 - counted.sum(axis=0) / len(counted)
    out = np.zeros(spikes.shape)
    out[first:] = counted * gain
    return out
