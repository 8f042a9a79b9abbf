"""Hold what came of an agent's votes."""

from __future__ import annotations

from dataclasses import dataclass

from neurorl.numerics.arrays import Array, FloatArray

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """Hold one decision of n modules an actor, in one or more groups.

    policy: ``(n,)``, probabilities of the alternatives in each group; of modules that code a
    number, their shares of its votes. actions: for each group an index in it, or a number in
    [-1, 1]. phi, t: ``(n,)``, what is broadcast to modules (`neurorl.rules.decision.Broadcast`).
    """

    policy: FloatArray
    actions: Array
    phi: FloatArray
    t: FloatArray
