"""Centre the agreement rule by the feedback of the policy.

Compute ``f = phi y' (s - tanh z)``, which is ``phi |y - tanh z|`` for the output.

`agreement` with t replaced by phi, whose mean given the votes is 0.
Source: the agreement rule of arXiv:1910.06489 (its code); ours is that phi centres it, as in
decision feedback (Urbanczik & Senn 2009, doi 10.1038/nn.2264).
"""

from __future__ import annotations

from neurorl.rules.base import Rule

CENTRED_FEEDBACK = Rule("centred-feedback", output="2*(phi*y)*(spike - p)", is_centred=True)
