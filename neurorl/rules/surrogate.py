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

from __future__ import annotations

from neurorl.rules.base import Rule

SURROGATE = Rule("surrogate", output="phi*V*(p*(1 - p))")
