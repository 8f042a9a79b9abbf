"""Hold the action that an agent chose by its votes."""

from __future__ import annotations

from dataclasses import dataclass

from neurorl.numerics.arrays import Array, FloatArray

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """Hold one decision among n modules of each actor, in one or more groups.

    policy: ``(n,)``, probabilities of the alternatives in each group, or for modules that code a
    number, their shares of its votes. actions: for each group an index in it, or a number in
    [-1, 1]. phi, t: ``(n,)``, broadcast to modules (`neurorl.rules.decision.Broadcast`).
    """

    policy: FloatArray
    actions: Array
    phi: FloatArray
    t: FloatArray
