"""The third factor: what was better or worse than expected, from a critic that learns it."""

from __future__ import annotations

from dataclasses import dataclass

from neurorl.described import FloatArray
from neurorl.elementary import dot
from neurorl.rule import td_error

__all__ = ["LinearCritic", "RewardMean"]


@dataclass
class LinearCritic:
    """``V = v . x``, ``z <- gamma lambda z + x``, ``v <- v + alpha delta z / max(|x|**2, 1)``.

    weights, trace, x: v, z and the features of the present state, arrays of one shape that are
    written in place. alpha: step size, a fraction of the error removed at once. trace_decay: gamma
    lambda. Source: Sutton & Barto, TD(lambda) with accumulating traces.
    """

    weights: FloatArray
    trace: FloatArray
    x: FloatArray
    alpha: float
    trace_decay: float

    def value(self, x: FloatArray) -> float:
        """V of features *x*."""
        return dot(self.weights, x)

    def modulator(self, reward: float, discount: float, x_next: FloatArray, rate: float) -> float:
        """The TD error of the step to the state with features *x_next*, from which V then learns.

        discount: gamma, or 0 after a terminal state. rate: scales the step.
        """
        delta = td_error(reward, discount, self.value(self.x), self.value(x_next))
        self.trace *= self.trace_decay
        self.trace += self.x
        step = rate * self.alpha * delta / max(dot(self.x, self.x), 1.0)
        self.weights += step * self.trace
        self.x[:] = x_next
        return delta


@dataclass
class RewardMean:
    """``M = r - m``, ``m <- m + alpha M``: no states, only a running mean of the reward.

    mean: m, an array of shape ``(1,)`` that is written in place.
    """

    mean: FloatArray
    alpha: float

    def modulator(self, reward: float) -> float:
        """How much the reward exceeds its mean, which then learns from it."""
        surprise = reward - float(self.mean[0])
        self.mean[0] += self.alpha * surprise
        return surprise
