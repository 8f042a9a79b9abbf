"""Define learning rules: the library's, a registry that users add to, the three-factor update.

A rule defines what a postsynaptic neuron adds to the eligibility of its synapses; the rest of
learning is the same for every rule. For one decision, with m the module of a neuron, a the action
taken and pi the policy, ``phi = 1[m = a] - pi_m`` and ``t = +1 if m = a else -1`` are broadcast to
the modules. `neurorl.rules.post_factor` lists all names for texts.

Docstrings of rules write f with the papers' units y (output) and s (hidden) in {-1, +1}, whose
expectation is ``tanh z = 2p - 1``: s - tanh z = 2 (spike - p). n counts the neuron's spikes in the
window. A spike takes d steps to the output, 1 from the hidden layer next to it, 2 from the layer
below and so on, and y' = y(t+d) is the output of the neuron's module when its spike arrives there.
V is the path weight of a hidden neuron: the sum, over all paths to its module's output, of the
products of their weights (next to the output: its weight). b = +-1 is the sign of V before learning
(`random_feedback`: drawn). An output neuron is its own output: d is 0, V and b are 1. Several
hidden layers are ours. The modulator is the TD error, or the reward minus its mean.
``E[phi | votes] = 0``, so an error of the critic causes no drift of the rules with phi; `agreement`
and `reward_stdp` drift.

The STDP rules also have a term for spikes that arrive after the neuron's own, and learn in any
population, see `neurorl.learning.learner`.

A rule of your own is a `Rule` with one or two texts: pass it as ``rule=``, or `register_rule` it
and use its name.
"""

from neurorl.rules.base import Rule
from neurorl.rules.decision import Decision, Factors, HiddenLayer, feedback
from neurorl.rules.registry import RULES, find_rule, register_rule
from neurorl.rules.synapse_rule import SynapseRule

__all__ = [
    "RULES",
    "Decision",
    "Factors",
    "HiddenLayer",
    "Rule",
    "SynapseRule",
    "feedback",
    "find_rule",
    "register_rule",
]
