"""Look up how the memory of a rule decays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import decay
from neurorl.rules import Rule


@dataclass(frozen=True)
class RuleConstants:
    """Hold how a rule's eligibilities and its neurons' own traces decay, and A.

    kept: what is left of an eligibility after a step; kept_window: after a window, None for what
    its steps leave. post_decay, slow_decay: what a step leaves of traces.
    """

    kept: float
    kept_window: float | None
    post_decay: float
    slow_decay: float
    depression: float

    @classmethod
    def of(
        cls,
        rule: Rule,
        dt: float,
        eligibility_tau: float | None,
        post_tau: float,
        depression: float,
        kept_window: float | None = None,
    ) -> RuleConstants:
        """Return the rule's own constants, or these where it has none.

        eligibility_tau: in seconds; None for an eligibility that stays, or that each window
        multiplies by *kept_window*.
        """
        tau = eligibility_tau if rule.eligibility_tau is None else rule.eligibility_tau
        own = rule.eligibility_keep
        steps = tau is not None and own is None
        return cls(
            kept=decay(dt, tau) if steps and tau is not None else 1.0,
            kept_window=kept_window if tau is None and own is None else own,
            post_decay=decay(dt, post_tau if rule.post_tau is None else rule.post_tau),
            slow_decay=decay(dt, rule.slow_tau or 0.0),
            depression=depression if rule.depression is None else rule.depression,
        )

    def powers(self, n_steps: int) -> FloatArray:
        """Return what is left at a window's end of what each step added, ``(n_steps,)``."""
        return _powers(self.kept, n_steps)

    def left(self, n_steps: int) -> float:
        """Return what a window leaves of an eligibility."""
        return self.kept**n_steps if self.kept_window is None else self.kept_window


@lru_cache(maxsize=64)
def _powers(kept: float, n_steps: int) -> FloatArray:
    powers = np.array([kept ** (n_steps - 1 - t) for t in range(n_steps)])
    powers.flags.writeable = False
    return powers
