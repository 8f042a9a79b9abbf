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

from __future__ import annotations

from neurorl.rules.base import Rule

E_PROP = Rule(
    "e-prop",
    output="phi*b*(0.3/theta*where(spike > 0, 1, max(0, 1 - abs(v - theta)/theta)))",
    needs_td_error=True,
    is_centred=True,
)
