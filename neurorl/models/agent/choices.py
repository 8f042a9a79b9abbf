"""Hold what came of an agent's votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from neurorl.network.serialization import FloatArray

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """Hold one decision of n modules an actor, in one or more groups.

    policy: ``(n,)``, probabilities of the alternatives in each group; of modules that code a
    number, their shares of its votes. actions: for each group an index in it, or a number in
    [-1, 1]. phi, t: ``(n,)``, what is broadcast to modules (`neurorl.rules.decision.Broadcast`).
    """

    policy: FloatArray
    actions: npt.NDArray[Any]
    phi: FloatArray
    t: FloatArray
