"""Choose numbers by two readouts: their mean and the logarithm of their width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.models.agent.choices import Choice
from neurorl.models.agent.gaussian_policy import no_mask, normal
from neurorl.models.agent.policies import Policy
from neurorl.network.serialization import flag, number
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import exp

__all__ = ["GaussianReadout"]

_NARROWEST, _WIDEST = -3.0, 2.0


@dataclass(frozen=True, eq=False)
class GaussianReadout(Policy):
    """Draw each number from a normal distribution whose mean and width are learned.

    With the two readouts m and s of a number, ``sigma = first exp(s)``, s within -3 to 2, and
    ``a = clip(m + sigma z, -1, 1)``, z standard normal. Their scores are ``phi_m = z`` and
    ``phi_s = z**2 - 1``, that of the mean without its factor 1 / sigma: the natural gradient
    (Kakade, 2001) up to sigma. It needs the trunk ``'shared'``.
    first: sigma before learning. explores: False takes the means.
    """

    name: ClassVar[str] = "gaussian-readout"
    kernel: ClassVar[str | None] = "readout"
    is_continuous: ClassVar[bool] = True
    draws: ClassVar[int] = 2

    first: float = 0.6
    explores: bool = True

    def __post_init__(self) -> None:
        number("agent.policy.first", self.first, 0.0)
        flag("agent.policy.explores", self.explores)

    @property
    def population(self) -> int:
        return 2

    def at_best(self) -> Policy:
        return GaussianReadout(self.first, explores=False)

    def distribution(self, votes: FloatArray) -> FloatArray:
        """Return 1: each number is a choice of its own."""
        return np.ones(len(votes))

    def entropy_slope(self, probabilities: FloatArray) -> FloatArray:
        """Return 0 for the mean and 1 for the logarithm of the width."""
        return np.array([0.0, 1.0])

    def decide(
        self,
        votes: FloatArray,
        groups: Sequence[int],
        allowed: npt.NDArray[np.bool_] | None,
        u: FloatArray,
        decision: int = 0,
    ) -> Choice:
        """Choose a number in each group, of two readouts each."""
        if allowed is not None:
            raise no_mask()
        phi, values = np.zeros(len(votes)), np.zeros(len(groups))
        for g in range(len(groups)):
            mean, width = votes[2 * g : 2 * g + 2]
            z = normal(float(u[2 * g]), float(u[2 * g + 1])) if self.explores else 0.0
            sigma = self.first * float(exp(min(max(width, _NARROWEST), _WIDEST)))
            values[g] = min(max(mean + sigma * z, -1.0), 1.0)
            phi[2 * g], phi[2 * g + 1] = z, z * z - 1.0
        return Choice(self.distribution(votes), values, phi, np.sign(phi))
