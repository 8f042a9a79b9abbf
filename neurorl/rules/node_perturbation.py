"""Estimate the gradient from the effect of random perturbations of neurons on the reward.

Compute ``f = xi``, the perturbation of the neuron in this step, minus its mean: a signal broadcast
by the caller that perturbs neurons, so it learns in `neurorl.Learning` only.

The mean of ``M sum_t x(t) xi(t)``, M the reward minus its mean, is the gradient of the reward, to
first order in xi, times the variance of xi.
Source: Fiete & Seung 2006 (doi 10.1103/PhysRevLett.97.048104), whose "empiric" synapses drive
neurons with random spikes; there the trace is the synapse's conductance. An agent's neurons with
escape noise have `coagent`, whose perturbation is spike - p.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

NODE_PERTURBATION = Rule("node-perturbation", output="perturbation", signals=("perturbation",))
