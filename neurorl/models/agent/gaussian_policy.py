"""Choose real numbers: around what populations code, or by readouts of their mean and width."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.models.agent.answers import Choice
from neurorl.models.agent.policies import Allowed, Groups, Policy
from neurorl.network.serialization import Count, Flag, NotNegative, Range
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import cospi, exp, log

_NARROWEST, _WIDEST = -3.0, 2.0
_REACH = 2.0


class ChoosesNumbers(Policy):
    """Choose a number in each group by a standard normal draw z."""

    is_continuous: ClassVar[bool] = True
    draws: ClassVar[int] = 2

    def decide(
        self, votes: FloatArray, groups: Groups, allowed: Allowed, u: FloatArray, decision: int = 0
    ) -> Choice:
        if allowed is not None:
            raise no_mask()
        policy, phi = np.zeros(len(votes)), np.zeros(len(votes))
        values, first = np.zeros(len(groups)), 0
        for g, size in enumerate(groups):
            group = slice(first, first + size)
            z = normal(float(u[2 * g]), float(u[2 * g + 1]))
            value, phi[group] = self.one(votes[group], z, decision)
            values[g] = min(max(value, -1.0), 1.0)
            policy[group] = self.distribution(votes[group])
            first += size
        return Choice(policy, values, phi, np.sign(phi))

    def distribution(self, votes: FloatArray) -> FloatArray:
        """Return 1: each number is a choice of its own."""
        return np.ones(len(votes))

    @abc.abstractmethod
    def one(self, votes: FloatArray, z: float, decision: int) -> tuple[float, FloatArray]:
        """Return the number of one group before it is clipped, and phi of its modules."""


@dataclass(frozen=True, eq=False)
class Gaussian(ChoosesNumbers, called="gaussian", kernel="normal"):
    """Choose each number around the mean that a population of modules codes by its votes.

    sigma: initial width of the exploration, for a range from -1 to 1. sigma_end, decisions: sigma
    falls to sigma_end, evenly over so many of the agent's decisions. population: modules of each
    actor for a number, with centres c evenly from -1 to 1. hold: decisions in a row that share one
    z, since noise of single steps may cancel out. natural: whether the feedback shrinks with sigma.

    With n_m votes for centre c_m the mean is ``mu = sum_m n_m c_m / sum_m n_m`` (0 without votes)
    and the number ``a = mu + sigma z``, clipped to [-1, 1], z standard normal. A vote for c_m moves
    mu towards c_m, so the feedback of module m is the score ``d log p(a) / d n_m`` without the
    factors sigma and ``sum n``: ``phi_m = z (c_m - mu)`` with ``z = (a - mu) / sigma`` before a is
    clipped; t is its sign. If *natural*, phi_m is multiplied by sigma over the sigma of the first
    decision. A smaller exploration explains less of a TD error, so this also shrinks the noise of a
    step. This is the score times sigma squared, the natural gradient (Kakade, 2001) of the mean.
    """

    sigma: NotNegative = 0.5
    sigma_end: NotNegative = 0.1
    decisions: Count = 100_000
    population: Annotated[int, Range(2, 256)] = 2
    hold: Annotated[int, Range(1, 1000)] = 1
    natural: Flag = False

    def at_best(self) -> Policy:
        return replace(self, sigma=0.0, sigma_end=0.0)

    def width(self, decision: int) -> float:
        """Return sigma in a decision, counted from 0."""
        left = 1.0 - min(decision / self.decisions, 1.0)
        return self.sigma_end + left * (self.sigma - self.sigma_end)

    def feedback(self, decision: int) -> float:
        """Return the factor of the feedback in a decision, counted from 0: 1 at first."""
        return self.width(decision) / self.sigma if self.natural and self.sigma > 0.0 else 1.0

    def distribution(self, votes: FloatArray) -> FloatArray:
        """Return the share of each module in the votes of its population."""
        total = float(np.add.accumulate(votes)[-1])
        return votes / total if total > 0.0 else np.full(len(votes), 1.0 / len(votes))

    def one(self, votes: FloatArray, z: float, decision: int) -> tuple[float, FloatArray]:
        size, total = len(votes), float(np.add.accumulate(votes)[-1])
        centres = (2.0 * np.arange(size) - (size - 1)) / (size - 1)
        # + 0.0 turns -0.0 into 0.0.
        mean = float(np.add.accumulate(votes * centres)[-1] + 0.0) / total if total > 0.0 else 0.0
        return mean + self.width(decision) * z, z * (centres - mean) * self.feedback(decision)


@dataclass(frozen=True, eq=False)
class GaussianReadout(ChoosesNumbers, called="gaussian-readout", kernel="readout"):
    """Draw each number from a normal distribution whose mean and width are learned.

    With the two readouts m and s of a number, ``sigma = first exp(s)``, s within -3 to 2, and
    ``a = clip(m + sigma z, -1, 1)``, z standard normal. Their scores are ``phi_m = z`` and
    ``phi_s = z**2 - 1``, that of the mean without its factor 1 / sigma: the natural gradient
    (Kakade, 2001) up to sigma. It needs the trunk ``'shared'``.
    Numbers that are clipped alike are worth alike, so no outcome moves m where nearly all are: it
    is pulled back there, by how far it is above ``1 + 2 sigma`` or below ``-1 - 2 sigma``.
    first: sigma before learning. explores: False takes the means.
    """

    population = 2

    first: NotNegative = 0.6
    explores: Flag = True

    def at_best(self) -> Policy:
        return GaussianReadout(self.first, explores=False)

    def pull(self, readouts: FloatArray, probabilities: FloatArray, factor: float) -> FloatArray:
        """Return what brings the mean back, and *factor*, the entropy's slope by log sigma."""
        mean, width = map(float, readouts)
        far = 1.0 + _REACH * self._sigma(width)
        return np.array([min(max(mean, -far), far) - mean, factor])

    def one(self, votes: FloatArray, z: float, decision: int) -> tuple[float, FloatArray]:
        mean, width = votes
        z = z if self.explores else 0.0
        return mean + self._sigma(width) * z, np.array([z, z * z - 1.0])

    def _sigma(self, width: float) -> float:
        return self.first * float(exp(min(max(width, _NARROWEST), _WIDEST)))


def no_mask() -> UnsupportedError:
    """Return the error for a mask on actions that are numbers."""
    remedy = "clip them in the environment"
    return UnsupportedError("policy 'gaussian'", "numbers have no mask", remedy=remedy)


def normal(u: float, v: float) -> float:
    """Return a standard normal number from two uniform ones in (0, 1), by Box and Muller."""
    return math.sqrt(-2.0 * float(log(u))) * float(cospi(2.0 * v))
