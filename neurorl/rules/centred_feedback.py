"""Centre the agreement rule by the feedback of the policy."""

from __future__ import annotations

from neurorl.rules.base import Decision, Factors, Rule
from neurorl.rules.post_factors import answered

__all__ = ["CENTRED_FEEDBACK", "centred_feedback"]


def centred_feedback(d: Decision) -> Factors:
    """Compute ``f_out = phi |y - tanh z|``, ``f_hid = phi y' (s - tanh z)``.

    `agreement` with t replaced by phi, whose mean given the votes is 0.
    Source: the agreement rule of arXiv:1910.06489 (its code); ours is that phi centres it, as in
    decision feedback (Urbanczik & Senn 2009, doi 10.1038/nn.2264).
    """
    return answered(d, d.phi)


CENTRED_FEEDBACK = Rule(
    "centred-feedback", centred_feedback, needs_probability=True, is_centred=True
)
