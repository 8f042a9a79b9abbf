"""Collect calls of one step each, in which everything before and after the step is known."""

from __future__ import annotations

import numpy as np

from neurorl.validation.evidence import Evidence


class Steps:
    """Hold calls of one step each; arrays ``(calls, size)``.

    before, now: each variable before and after. plain: what is predicted of them, by name. odd:
    where a variable or spike isn't so. free: where a neuron is neither dead nor spikes.
    """

    def __init__(self, evidence: Evidence) -> None:
        calls = np.flatnonzero((evidence.lengths == 1) & evidence.kept)
        fresh = evidence.fresh[calls][:, None]
        self.rows = rows = evidence.starts[calls]
        self.before = {
            v: np.where(fresh, evidence.rest(v), x[calls]) for v, x in evidence.before.items()
        }
        self.now = {v: x[calls] for v, x in evidence.after.items()}
        self.spikes = evidence.spikes[rows]
        plain = evidence.plain
        known = {**plain.after, "spikes": plain.spikes, "moved": plain.moved}
        self.plain = {name: x[rows] for name, x in known.items()}
        deviating = evidence.odd_states(plain)
        self.odd = {name: mask[calls] for name, mask in deviating.items()}
        self.free = (self.before["refractory"] == 0) & ~self.spikes
