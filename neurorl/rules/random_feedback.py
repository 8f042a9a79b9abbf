"""Learn from spikes and broadcasts that reach hidden neurons with signs drawn at random.

`spikes_only`, with b a fixed draw of +-1 in place of the sign of the neuron's path to its output,
so that no neuron has to know how it is connected. Forward weights may come to agree with b.
Source: random feedback weights, Lillicrap et al. 2016 (doi 10.1038/ncomms13276), straight to each
layer, Nokland 2016 (arXiv:1609.01596). Ours: signs only, spikes, phi as the broadcast signal.
"""

from __future__ import annotations

from neurorl.rules.base import Rule

RANDOM_FEEDBACK = Rule(
    "random-feedback",
    output="spike*(1 - n/W)*(phi*b)",
    is_centred=True,
    random_feedback=True,
)
