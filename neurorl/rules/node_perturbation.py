"""Follow the gradient by what random perturbations of neurons did to the reward.

Compute ``f = xi``, the perturbation that the neuron was given in this step, less its mean: a signal
that whoever perturbs it broadcasts, so it learns in `neurorl.Learning` only.

``M sum_t x(t) xi(t)``, M the reward less its mean, is the gradient of the reward in the mean, to
first order in xi and times its variance.
Source: Fiete & Seung 2006 (doi 10.1103/PhysRevLett.97.048104), whose "empiric" synapses drive
neurons with random spikes; there the trace is that of the synapse's conductance. An agent's neurons
with escape noise have `coagent`, whose perturbation is spike - p.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

__all__ = ["NODE_PERTURBATION"]

NODE_PERTURBATION = Rule("node-perturbation", output="perturbation", signals=("perturbation",))
