"""Follow the coagent policy gradient: each neuron learns by the score of its own spikes.

Compute ``f = s - tanh z``.

``d log P(spike) / d drive = (spike - p) / noise_width``: 2 (spike - p) for the papers' units, that
times a constant for others. Given the votes, the action's probability depends on no weight, so log
pi adds nothing and the mean of delta f x is the exact gradient of the return (for units with a
memory, as far as the trace x equals what a spike leaves in the membrane). A hidden layer's last d
steps are left out: their spikes arrive too late to matter.
Source: the coagent policy gradient theorem, Kostas, Nota & Thomas 2020 (arXiv:1902.05650).
"""

from __future__ import annotations

from neurorl.rules.base import Rule

COAGENT = Rule(
    "coagent", output="2*(spike - p)", counts_returns=True, is_centred=True, drops_late=True
)
