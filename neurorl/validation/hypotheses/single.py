"""Collect calls of one step each, in which everything before and after the step is known."""

from __future__ import annotations

import numpy as np

from neurorl.validation.evidence import Evidence

__all__ = ["Steps"]


class Steps:
    """Hold calls of one step each, with the state before and after, ``(calls, size)``."""

    def __init__(self, evidence: Evidence) -> None:
        calls = np.flatnonzero((evidence.lengths == 1) & evidence.kept)
        rows = evidence.starts[calls]
        self.rows = rows
        fresh = evidence.fresh[calls][:, None]
        self.u, self.v, self.dead = (
            np.where(fresh, 0, evidence.before[v][calls])
            for v in ("current", "voltage", "refractory")
        )
        self.u_now, self.v_now, self.dead_now = (
            evidence.after[v][calls] for v in ("current", "voltage", "refractory")
        )
        self.spikes = evidence.spikes[rows]
        self.plain = {
            name: getattr(evidence.plain, name)[rows]
            for name in ("current", "voltage", "refractory", "spikes", "moved", "level")
        }
        deviating = evidence.odd_states(evidence.plain)
        self.odd = {name: mask[calls] for name, mask in deviating.items()}
        self.bias = evidence.bias()[rows]
        self.q = evidence.input()[rows]
        self.free = (self.dead == 0) & ~self.spikes
