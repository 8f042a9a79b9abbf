"""Define the rules of the library, and find rules by name, those that users add too.

Below each rule is what it computes, and where it is from.
"""

from __future__ import annotations

import sys

from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError, quoted
from neurorl.network.naming import add_name, find_name
from neurorl.rules.base import Rule
from neurorl.rules.synapse_rule import SynapseRule

AGREEMENT = Rule("agreement", output="2*(t*y)*(spike - p)")
"""Reinforce units that agree with the action taken, by the papers' rule.

Compute ``f = sgn(t y') (s - tanh z)``, which is ``t |y - tanh z|`` for the output.

t is +1 for modules of the action taken, else -1; y' = y(t+d) is the output of the unit's module
when its spike arrives there, d steps later. Not centred: it drifts while the mean of delta isn't 0.
Source: the public code of arXiv:1910.06489 (gridworld). Ours: steps of a window, more layers.
"""

CENTRED_FEEDBACK = Rule("centred-feedback", output="2*(phi*y)*(spike - p)", is_centred=True)
"""Centre the agreement rule by the feedback of the policy.

Compute ``f = phi y' (s - tanh z)``, which is ``phi |y - tanh z|`` for the output.

`agreement` with t replaced by phi, whose mean given the votes is 0.
Source: the agreement rule of arXiv:1910.06489 (its code); ours is that phi centres it, as in
decision feedback (Urbanczik & Senn 2009, doi 10.1038/nn.2264).
"""

COAGENT = Rule(
    "coagent", output="2*(spike - p)", counts_returns=True, is_centred=True, drops_late=True
)
"""Follow the coagent policy gradient: each neuron learns by the score of its own spikes.

Compute ``f = s - tanh z``.

``d log P(spike) / d drive = (spike - p) / noise_width``: 2 (spike - p) for the papers' units, that
times a constant for others. Given the votes, the action's probability depends on no weight, so log
pi adds nothing and the mean of delta f x is the exact gradient of the return (for units with a
memory, as far as the trace x equals what a spike leaves in the membrane). A hidden layer's last d
steps are left out: their spikes arrive too late to matter.
Source: the coagent policy gradient theorem, Kostas, Nota & Thomas 2020 (arXiv:1902.05650).
"""

RANDOM_FEEDBACK = Rule(
    "random-feedback", output="spike*(1 - n/W)*(phi*b)", is_centred=True, random_feedback=True
)
"""Learn from spikes and broadcasts that reach hidden neurons with signs drawn at random.

`spikes_only`, with b a fixed draw of +-1 in place of the sign of the neuron's path to its output,
so that no neuron has to know how it is connected. Forward weights may come to agree with b.
Source: random feedback weights, Lillicrap et al. 2016 (doi 10.1038/ncomms13276), straight to each
layer, Nokland 2016 (arXiv:1609.01596). Ours: signs only, spikes, phi as the broadcast signal.
"""

REWARD_STDP = Rule("reward-stdp", output="spike", pairs_spikes=True)
"""Modulate spike-timing dependent plasticity by reward.

Compute ``f = s``: a neuron's spike adds the traces of its inputs (pair-based STDP).

Source: reward-modulated STDP with eligibility, Izhikevich 2007 (doi 10.1093/cercor/bhl152),
Florian 2007 (doi 10.1162/neco.2007.19.6.1468).
"""

SPIKES_ONLY = Rule("spikes-only", output="spike*(1 - n/W)*(phi*b)", is_centred=True)
"""Learn from spikes and broadcasts only, less where a neuron saturates.

Compute ``f = phi b (1 - n/W) s``.

n (1 - n/W) estimates W p (1 - p), so a neuron that saturates stops learning. W counts the steps
that input can have reached. Ours, developed from the papers' agreement rule.
"""

SPIKES_ONLY_HEBBIAN = Rule("spikes-only-hebbian", output="spike*(phi*b)")
"""Learn from spikes and broadcasts only.

Compute ``f = phi b s``: `spikes_only` without saturation.

The plain product of presynaptic trace, postsynaptic spike and broadcast. Ours.
"""

SURROGATE = Rule("surrogate", output="phi*V*(p*(1 - p))")
"""Backpropagate through the deterministic slope of spikes.

Compute ``f = phi V R`` with the slope ``R = p (1 - p)``.

R is the slope of p in units of the noise, (1 - tanh^2 z) / 4 for the papers' units (so rates are 4
times those of `centred_feedback` for the same mean in the output layer), and V the path weight in
force: backpropagation of ``log softmax(votes)`` through the expected spikes, without the slopes of
neurons on the path (of the output and of hidden layers above) and without the order of steps (both
ours, as is the use here).
Source: straight-through estimators, Bengio et al. 2013 (arXiv:1308.3432); surrogate gradients,
Neftci et al. 2019 (arXiv:1901.09948).
"""

TD_STDP = Rule(
    "td-stdp", output="spike*(phi*b)", pairs_spikes=True, gates_depression=True, needs_td_error=True
)
"""Give spike-timing dependent plasticity feedback of the action.

Compute ``f = phi b s``: `reward_stdp` with feedback of the action.

Source: feedback-modulated TD-STDP, Chung & Kozma 2020 (arXiv:2008.13044), by its public code
(github.com/stephen-chung-mh/td_stdp): eligibilities of pre trace x post spike, without depression,
times 1[m = a] - pi_m. Ours: one gate per window, where theirs is filtered with 40 ms; hidden units;
optional depression, which is gated too. Units outside of modules are not gated.
"""

E_PROP = Rule(
    "e-prop",
    output="phi*b*(0.3/theta*where(spike > 0, 1, max(0, 1 - abs(v - theta)/theta)))",
    needs_td_error=True,
    is_centred=True,
)
"""Learn by eligibility propagation from rewards, with the membrane's pseudo-derivative.

Compute ``f = phi b psi`` with ``psi = (0.3 / theta) max(0, 1 - |v -
theta| / theta)``; in a step with a spike, which resets v, v counts as theta.

The presynaptic trace times psi is the eligibility of a LIF neuron, phi b its learning signal from
the action, and the modulator is the TD error: reward-based e-prop, whose eligibilities decay with
gamma (``lambda_actor=1``).
Source: Bellec et al. 2020 (doi 10.1038/s41467-020-17236-y). Ours: signs of paths in place of
broadcast weights; outputs spike, so no trace of a readout filters eligibilities; no term for a
critic's weights. Neurons need a threshold above 0.
"""

TRIPLET_STDP = Rule(
    "triplet-stdp",
    output="0.0065*slow*spike",
    pairs_spikes=True,
    post_tau=0.0337,
    depression=0.0071,
    slow_tau=0.114,
    modulator="dopamine",
)
"""Modulate the triplet rule of spike timing by dopamine.

Compute ``f = A3+ o2 s``, o2 the slow trace of the neuron's own spikes before this one, and for a
spike that arrives ``- A2- o1``, o1 the neuron's fast trace.

Source: Pfister & Gerstner 2006 (doi 10.1523/JNEUROSCI.1425-06.2006), the minimal all-to-all model
of visual cortex: A2+ = 0, A3+ = 0.0065, A2- = 0.0071, A3- = 0, tau- = 33.7 ms, tau_y = 114 ms; tau+
= 16.8 ms is the projection's ``trace_tau``. The combination with a later reward, as in Izhikevich
2007 (doi 10.1093/cercor/bhl152), is ours.
"""

MSTDPET = Rule(
    "mstdpet",
    output="spike/25",
    pairs_spikes=True,
    eligibility_tau=0.025,
    post_tau=0.02,
    depression=0.04,
    modulator="reward",
)
"""Modulate spike timing by reward with an eligibility trace (MSTDPET).

Compute ``f = s / tau_z`` and for a spike that arrives ``- y / tau_z``, y the neuron's trace, so
that ``tau_z de/dt = -e + STDP``, tau_z in ms.

Source: Florian 2007 (doi 10.1162/neco.2007.19.6.1468), with the constants of ngc-learn's lecture on
reward-modulated STDP (docs/tutorials/neurocog): A+ = A- = 1, both traces 20 ms, tau_z = 25 ms; its
learning rate 0.2/25 is the caller's ``rate``, and its presynaptic trace of 20 ms the projection's
``trace_tau``. Ours: pairs enter the eligibility in their own step, there a step later.
"""

AUTHORS_CARTPOLE = Rule(
    "authors-cartpole", output="where(t > 0, 2*(spike - p), -2*y*(spike - p))", eligibility_keep=0.0
)
"""Reinforce the modules of the action taken, and those of others if they were silent.

Compute ``f = s - tanh z`` in modules of the action taken; in others ``f = -y' (s - tanh z)``.

As `agreement`, but without its sign in modules of the action taken. y' is the output in the step in
which the unit's spike arrives there. Eligibilities last one decision.
Source: the public code of arXiv:1910.06489 for CartPole (github.com/asneha213/spiking-agent-RL,
spiking_agent_cartpole.py). Ours: steps of a window, more layers. It drifts while the mean of delta
isn't 0.
"""

AUTHORS_MOUNTAINCAR = Rule(
    "authors-mountaincar",
    output="where(t > 0 or M > 0, 2*spike - 1, 0)",
    hidden="2*spike - 1",
    eligibility_keep=0.0,
    needs_td_error=True,
)
"""Multiply the spikes of both sides of a synapse with the TD error.

Compute ``f_hid = s`` and ``f_out = y``, each +-1, but 0 for outputs of other actions than the one
taken if the TD error isn't positive.

The code means to subtract expectations; two comparisons that are never true leave plain spikes.
Eligibilities last one decision.
Source: the public code of arXiv:1910.06489 for MountainCar (github.com/asneha213/spiking-agent-RL,
spiking_agent_mountaincar.py), as it runs. Ours: steps of a window, more layers; there hidden units
are shared by all actions, which a network of your own can have.
"""

NODE_PERTURBATION = Rule("node-perturbation", output="perturbation", signals=("perturbation",))
"""Estimate the gradient from the effect of random perturbations of neurons on the reward.

Compute ``f = xi``, the perturbation of the neuron in this step, minus its mean: a signal broadcast
by the caller that perturbs neurons, so it learns in `neurorl.Learning` only.

The mean of ``M sum_t x(t) xi(t)``, M the reward minus its mean, is the gradient of the reward, to
first order in xi, times the variance of xi.
Source: Fiete & Seung 2006 (doi 10.1103/PhysRevLett.97.048104), whose "empiric" synapses drive
neurons with random spikes; there the trace is the synapse's conductance. An agent's neurons with
escape noise have `coagent`, whose perturbation is spike - p.
"""

SHIPPED: dict[str, Rule] = {
    rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)
}
"""Map the name of each rule above to it."""

VALUE = Rule("value", output="spike*(1 - n/W)*b")
"""Train a spiking critic, whose value is the sum of its neurons' rates times b = +-1.

Compute ``f = b (1 - n/W) s``: the slope of the value, estimated from spikes as in `spikes_only`.

For critics only; the eligibility decays with gamma times ``lambda_critic``. Ours; after Fremaux,
Sprekeler & Gerstner 2013 (doi 10.1371/journal.pcbi.1003024): values as population rates.
"""

RULES: dict[str, Rule] = dict(SHIPPED)
"""Map the name of each rule to it."""


def register_rule(rule: Rule) -> Rule:
    """Make a rule known by its name, and return it.

    Raises ArgumentError if another rule has the name, or if it has a colon, as names in modules.
    """
    if not isinstance(rule, Rule):
        raise ArgumentError("register_rule", "not a Rule", got=type(rule).__name__)
    add_name("rule", rule.name, rule, RULES)
    return rule


def find_rule(name: object) -> Rule:
    """Return the rule of a plain name, or of ``module:attribute`` if that module is imported.

    name: or the rule itself. Raises UnknownNameError, which says what to import.
    """
    rule = find_any_rule(name)
    if isinstance(rule, SynapseRule):
        what, remedy = "neither a name nor a Rule", "SynapseLearning for a SynapseRule"
        raise ArgumentError("rule", what, got=quoted(name), remedy=remedy)
    return rule


def find_any_rule(name: object) -> Rule | SynapseRule:
    """Return the rule of a name, or the rule itself, as `find_rule`; it may be of statements."""
    if isinstance(name, (Rule, SynapseRule)):
        return name
    if not isinstance(name, str):
        what, remedy = "neither a name nor a Rule", "Rule(...), or SynapseRule(...)"
        raise ArgumentError("rule", what, got=quoted(name), remedy=remedy)
    rule = find_name("rule", name, RULES)
    if not isinstance(rule, (Rule, SynapseRule)):
        raise UnknownNameError(f"rule {name!r}", "that module has no such Rule")
    return rule


def saved(rule: str | Rule | SynapseRule) -> str | Rule | SynapseRule:
    """Return a rule as files hold it: a user's texts or statements, else its name.

    The name is plain, or ``module:attribute``. Raises UnknownNameError, and DescriptionError for a
    function that is neither registered nor an attribute of a module.
    """
    named = find_any_rule(rule)
    if isinstance(named, SynapseRule):
        return named
    if named.is_text:
        return named.name if is_shipped(named) and RULES.get(named.name) is named else named
    return _name_of(named) if isinstance(rule, Rule) else rule


def _name_of(rule: Rule) -> str:
    if RULES.get(rule.name) is rule:
        return rule.name
    own = getattr(rule.post_factors, "__module__", "")
    for module in (own, *sys.modules):
        for attribute, value in list(vars(sys.modules.get(module, sys)).items()):
            if value is rule:
                return f"{module}:{attribute}"
    what, remedy = "can't be found again by a name", "neurorl.rules.register_rule(rule) first"
    raise DescriptionError(f"rule {rule.name!r}", what, remedy=remedy)


def is_shipped(rule: Rule) -> bool:
    """Return whether *rule* is one of the library's."""
    return SHIPPED.get(rule.name) is rule
