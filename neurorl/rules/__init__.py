"""Define learning rules: a file for each, a registry that users add to, the three-factor update.

A rule says what a postsynaptic neuron adds to the eligibility of its synapses; all else of
learning is the same for every rule. For one decision, m the module of a neuron, a the action
taken, pi the policy: ``phi = 1[m = a] - pi_m`` and ``t = +1 if m = a else -1`` are broadcast to
the modules.

=======================  ============================  ============================  =============
rule                     output neuron, step t         hidden neuron, step t         needs
=======================  ============================  ============================  =============
`coagent`                y - tanh z                    s - tanh z                    p
`agreement`              t y (y - tanh z)              t y(t+d) (s - tanh z)         p, modules
`centred_feedback`       phi y (y - tanh z)            phi y(t+d) (s - tanh z)       p, modules
`surrogate`              phi p (1 - p)                 phi V p (1 - p)               p, V, modules
`spikes_only`            phi (1 - n/W) spike           phi b (1 - n/W) spike         modules
`spikes_only_hebbian`    phi spike                     phi b spike                   modules
`random_feedback`        phi (1 - n/W) spike           phi b (1 - n/W) spike         modules
`reward_stdp`            spike                         spike
`td_stdp`                phi spike                     phi b spike
`e_prop`                 phi psi                       phi b psi                     v, modules
`triplet_stdp`           .0065 slow spike              .0065 slow spike
`mstdpet`                spike / 25                    spike / 25
`authors_cartpole`       y - tanh z, or                s - tanh z, or                p, modules
                         -y (y - tanh z) if m != a     -y(t+d) (s - tanh z)
`authors_mountaincar`    y; 0 if m != a and M <= 0     s
`node_perturbation`      perturbation                  perturbation                  a signal
=======================  ============================  ============================  =============

y, s in {-1, +1} are output and hidden units of the papers' kind and ``tanh z = 2p - 1`` their
expectation, so that y - tanh z = 2 (spike - p) and y (y - tanh z) = 2 |spike - p|; n is the
neuron's own count of spikes in the window. A spike takes d steps to the output, 1 from the hidden
layer next to it, 2 from the one below and so on. V is the path weight of a hidden neuron, the sum
over all ways to its module's output of the products of their weights (next to the output: its
weight), and b = +-1 the sign of that before learning (`random_feedback`: drawn). Several hidden
layers are ours. The modulator is the TD error, or the reward less its mean. E[phi | votes] = 0, so
an error of the critic causes no drift of the rules with phi; those of *agreement* and *reward-stdp*
drift.

The STDP rules also have a term for spikes that arrive after the neuron's own, and learn in any
population, see `neurorl.learning.learner`.

A rule of your own is a `Rule` object of two texts (`neurorl.rules.post_factor`): pass it as
``rule=``, or `register_rule` it and use its name.
"""

from neurorl.rules.base import Decision, Factors, Hidden, Rule, feedback
from neurorl.rules.registry import RULES, find_rule, register_rule

__all__ = [
    "RULES",
    "Decision",
    "Factors",
    "Hidden",
    "Rule",
    "feedback",
    "find_rule",
    "register_rule",
]
