"""The second factor: what a postsynaptic neuron adds to the eligibility of its synapses.

The members of the family differ only here. For one decision, m the module of a neuron, a the
action taken, pi the policy: ``phi = 1[m = a] - pi_m`` and ``t = +1 if m = a else -1`` are
broadcast to the modules.

=======================  ============================  ============================  =============
rule                     output neuron, step t         hidden neuron, step t         needs
=======================  ============================  ============================  =============
`coagent`                y - tanh z                    s - tanh z                    p
`agreement`              t y (y - tanh z)              t y(t+d) (s - tanh z)         p, modules
`centred_feedback`       phi y (y - tanh z)            phi y(t+d) (s - tanh z)       p, modules
`surrogate`              phi p (1 - p)                 phi V p (1 - p)               p, V, modules
`spikes_only`            phi (1 - n/W) spike           phi b (1 - n/W) spike         modules
`spikes_only_hebbian`    phi spike                     phi b spike                   modules
`reward_stdp`            spike                         spike
`td_stdp`                phi spike                     phi b spike
=======================  ============================  ============================  =============

y, s in {-1, +1} are output and hidden units of the papers' kind and ``tanh z = 2p - 1`` their
expectation, so that y - tanh z = 2 (spike - p) and y (y - tanh z) = 2 |spike - p|; n is the
neuron's own count of spikes in the window. A spike takes d steps to the output, 1 from the hidden
layer next to it, 2 from the one below and so on. V is the path weight of a hidden neuron, the sum
over all ways to its module's output of the products of their weights (next to the output: its
weight), and b = +-1 the sign of that before learning. Several hidden layers are ours. The modulator
is the TD error, or the reward less its mean. E[phi | votes] = 0, so an error of the critic causes
no drift of the rules with phi; those of `agreement` and `reward_stdp` drift.

The two STDP rules also have a term for spikes that arrive after the neuron's own, and learn in any
population, see `neurorl.learner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.errors import unknown

__all__ = [
    "NEEDS_MODULES",
    "NEEDS_PATHS",
    "NEEDS_PROBABILITY",
    "RULES",
    "STDP",
    "Decision",
    "Factors",
    "Hidden",
    "agreement",
    "centred_feedback",
    "chosen",
    "coagent",
    "feedback",
    "is_own",
    "reward_stdp",
    "rule",
    "spikes_only",
    "spikes_only_hebbian",
    "spread",
    "surrogate",
    "td_stdp",
]

Array = npt.NDArray[np.float64]
Raster = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hidden:
    """A hidden layer of n neurons in a window of W steps.

    spikes: raster ``(W, n)``. p: spike probabilities ``(W, n)`` given the input, None if the rule
    needs none. first: step that input can have reached. lag: d, steps to the output, at least 1.
    signs: b, ``(n,)`` of +-1. paths: V, path weights in force, ``(n,)``, None if the rule needs
    none.
    """

    spikes: Raster
    first: int
    lag: int
    signs: Array
    p: Array | None = None
    paths: Array | None = None


@dataclass(frozen=True)
class Decision:
    """One window, and the action that came of it; W steps.

    action: the one taken; of decisions side by side, as of one with an action for each of their
    modules, those taken. phi: ``(n_actions,)``. output: raster ``(W, n)``.
    output_from: first step that input can have reached. hidden: layers from the output down.
    output_p: spike probabilities ``(W, n)`` given the input, None if the rule needs none.
    """

    action: int | npt.NDArray[np.int64]
    phi: Array
    output: Raster
    output_from: int
    hidden: tuple[Hidden, ...] = ()
    output_p: Array | None = None


@dataclass(frozen=True)
class Factors:
    """Post factors ``(W, n)`` of the output, and of the hidden layers from the output down."""

    output: Array
    hidden: tuple[Array, ...]


def feedback(action: int, policy: Array) -> Array:
    """``phi_m = 1[m = action] - policy_m``, shape ``(n_actions,)``."""
    phi = -policy
    phi[action] += 1.0
    return phi


def chosen(action: int | npt.NDArray[np.int64], n_actions: int) -> Array:
    """``g_m = 1[m = action]``, or one of several actions; shape ``(n_actions,)``."""
    gate = np.zeros(n_actions)
    gate[action] = 1.0
    return gate


def coagent(d: Decision) -> Factors:
    """Score function: ``f_out = y - tanh z``, ``f_hid = s - tanh z``.

    ``d log P(spike) / d drive = (spike - p) / noise_width``: 2 (spike - p) for the papers' units,
    that times a constant for others. Given the votes, the action's probability holds no weight, so
    log pi adds nothing and the mean of delta f x is the exact gradient of the return (for units
    with a memory, as far as the trace x is what a spike leaves of the membrane). A hidden layer's
    last d steps are left out: their spikes arrive too late to matter.
    Source: the coagent policy gradient theorem, Kostas, Nota & Thomas 2020 (arXiv:1902.05650).
    """

    def score(h: Hidden) -> Array:
        f = _counted(2.0 * _surprise(h.spikes, h.p), h.first)
        f[-h.lag :] = 0.0
        return f

    output = _counted(2.0 * _surprise(d.output, d.output_p), d.output_from)
    return Factors(output, tuple(map(score, d.hidden)))


def agreement(d: Decision) -> Factors:
    """The papers' rule: ``f_out = sgn(t y) (y - tanh z)``, ``f_hid = sgn(t y') (s - tanh z)``.

    t is +1 for modules of the action taken, else -1; y' = y(t+d) is the output of the unit's own
    module when its spike has come so far, d steps later. Not centred: it drifts while the mean of
    delta isn't 0.
    Source: the public code of arXiv:1910.06489 (gridworld). Ours: steps of a window, more layers.
    """
    return _answered(d, 2.0 * chosen(d.action, len(d.phi)) - 1.0)


def centred_feedback(d: Decision) -> Factors:
    """Agreement centred: ``f_out = phi |y - tanh z|``, ``f_hid = phi y' (s - tanh z)``.

    `agreement` with t replaced by phi, whose mean given the votes is 0.
    Source: the agreement rule of arXiv:1910.06489 (its code); ours is that phi centres it, as in
    decision feedback (Urbanczik & Senn 2009, doi 10.1038/nn.2264).
    """
    return _answered(d, d.phi)


def surrogate(d: Decision) -> Factors:
    """Deterministic slope of the spike: ``f_out = phi R``, ``f_hid = phi V R``, ``R = p (1 - p)``.

    R is the slope of p in units of the noise, (1 - tanh^2 z) / 4 for the papers' units (so rates
    are 4 times those of `centred_feedback` for the same mean in the output layer), and V the path
    weight in force: backpropagation of ``log softmax(votes)`` through the expected spikes,
    without the slopes of the neurons on the way (the output's and those of hidden layers above)
    and without the order of steps (both ours, as is the use here).
    Source: straight-through estimators, Bengio et al. 2013 (arXiv:1308.3432); surrogate gradients,
    Neftci et al. 2019 (arXiv:1901.09948).
    """
    phi = spread(d.phi, d.output.shape[1])

    def through_weights(h: Hidden) -> Array:
        assert h.paths is not None
        return _counted(_to_layer(phi, h) * h.paths * _slope(h.p), h.first)

    output = _counted(phi * _slope(d.output_p), d.output_from)
    return Factors(output, tuple(map(through_weights, d.hidden)))


def spikes_only(d: Decision) -> Factors:
    """Spikes and broadcasts only; a neuron that saturates stops learning.

    ``f_out = phi (1 - n/W) s``, ``f_hid = phi b (1 - n/W) s``; n(1 - n/W) estimates W p (1 - p).
    W counts the steps that input can have reached. Ours; grew out of the papers' agreement rule.
    """
    hidden = tuple(_unsaturated(h.spikes, h.first) for h in d.hidden)
    return _gated(d, _unsaturated(d.output, d.output_from), hidden)


def spikes_only_hebbian(d: Decision) -> Factors:
    """`spikes_only` without the factor of saturation: ``f_out = phi s``, ``f_hid = phi b s``.

    The plain product of presynaptic trace, postsynaptic spike and broadcast. Ours.
    """
    hidden = tuple(_counted(h.spikes.astype(np.float64), h.first) for h in d.hidden)
    return _gated(d, _counted(d.output.astype(np.float64), d.output_from), hidden)


def reward_stdp(d: Decision) -> Factors:
    """Pair-based STDP: ``f = s``, so that a neuron's spike adds the traces of its inputs.

    Source: reward-modulated STDP with eligibility, Izhikevich 2007 (doi 10.1093/cercor/bhl152),
    Florian 2007 (doi 10.1162/neco.2007.19.6.1468).
    """
    hidden = tuple(h.spikes.astype(np.float64) for h in d.hidden)
    return Factors(d.output.astype(np.float64), hidden)


def td_stdp(d: Decision) -> Factors:
    """`reward_stdp` with feedback of the action: ``f_out = phi s``, ``f_hid = phi b s``.

    Source: feedback-modulated TD-STDP, Chung & Kozma 2020 (arXiv:2008.13044), by its public code
    (github.com/stephen-chung-mh/td_stdp): eligibilities of pre trace x post spike, without
    depression, times 1[m = a] - pi_m. Ours: a gate once for each window, where theirs is filtered
    with 40 ms, hidden units, depression if you want it, which the gate then covers too. Units of
    no module are not gated.
    """
    gains = tuple(h.spikes.astype(np.float64) for h in d.hidden)
    return _gated(d, d.output.astype(np.float64), gains)


RULES: dict[str, Callable[[Decision], Factors]] = {
    "agreement": agreement,
    "centred-feedback": centred_feedback,
    "coagent": coagent,
    "reward-stdp": reward_stdp,
    "spikes-only": spikes_only,
    "spikes-only-hebbian": spikes_only_hebbian,
    "surrogate": surrogate,
    "td-stdp": td_stdp,
}

STDP = frozenset({"reward-stdp", "td-stdp"})
NEEDS_PROBABILITY = frozenset({"agreement", "centred-feedback", "coagent", "surrogate"})
NEEDS_PATHS = frozenset({"surrogate"})
NEEDS_MODULES = frozenset(RULES) - STDP - {"coagent"}


_OWN = dict(RULES)


def is_own(name: str) -> bool:
    """Whether a rule is the library's, so that the compiled loop has it."""
    return name in RULES and RULES[name] is _OWN.get(name)


def rule(name: str) -> Callable[[Decision], Factors]:
    """The post factors of a rule by its name."""
    if name not in RULES:
        raise unknown("rule", name, RULES)
    return RULES[name]


def spread(per_action: Array, n: int) -> Array:
    """A number for each action -> one for each of *n* modules, actors in the outer order."""
    return np.tile(per_action, n // len(per_action))


def _to_layer(per_module: Array, h: Hidden) -> Array:
    """A number for each module -> one for each hidden neuron; over the last axis."""
    return per_module.repeat(h.spikes.shape[1] // per_module.shape[-1], axis=-1)


def _answered(d: Decision, broadcast: Array) -> Factors:
    """``f_out = c |y - tanh z|``, ``f_hid = c y' (s - tanh z)``, c the broadcast to the module."""
    c = spread(broadcast, d.output.shape[1])
    output = _counted(2.0 * c * np.abs(_surprise(d.output, d.output_p)), d.output_from)

    def told(h: Hidden) -> Array:
        answer = np.zeros(d.output.shape)
        answers = c * (2.0 * d.output[h.lag :] - 1.0)
        answer[: len(answers)] = answers
        return _counted(2.0 * _to_layer(answer, h) * _surprise(h.spikes, h.p), h.first)

    return Factors(output, tuple(map(told, d.hidden)))


def _gated(d: Decision, output: Array, hidden: tuple[Array, ...]) -> Factors:
    """The factors times phi, and b for hidden neurons."""
    phi = spread(d.phi, output.shape[1])
    gates = [_to_layer(phi, h) * h.signs for h in d.hidden]
    return Factors(output * phi, tuple(f * gate for f, gate in zip(hidden, gates, strict=True)))


def _surprise(spikes: Raster, p: Array | None) -> Array:
    assert p is not None
    return spikes - p


def _slope(p: Array | None) -> Array:
    assert p is not None
    return p * (1.0 - p)


def _counted(factors: Array, first: int) -> Array:
    """0 in the steps that input can't have reached."""
    factors[:first] = 0.0
    return factors


def _unsaturated(spikes: Raster, first: int) -> Array:
    counted = spikes[first:]
    return _counted(spikes * (1.0 - counted.sum(axis=0) / len(counted)), first)
