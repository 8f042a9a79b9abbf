"""The critic: a linear value function learned by TD(lambda)."""

from __future__ import annotations

import numpy as np

from neurorl.described import FloatArray

__all__ = ["LinearCritic"]


class LinearCritic:
    """``V = v . x``, ``z <- gamma lambda z + x``, ``v <- v + alpha delta z / max(|x|**2, 1)``.

    n: features. alpha: step size, a fraction of the error removed at once. trace_decay: gamma
    lambda. Source: Sutton & Barto, TD(lambda) with accumulating traces.
    """

    def __init__(self, n: int, alpha: float, trace_decay: float) -> None:
        self.weights = np.zeros(n)
        self._trace = np.zeros(n)
        self._alpha = alpha
        self._trace_decay = trace_decay

    def value(self, x: FloatArray) -> float:
        """V of features *x*."""
        return float(self.weights @ x)

    def update(self, x: FloatArray, delta: float, rate: float = 1.0) -> None:
        """Learn from the TD error of the state with features *x*; *rate* scales the step."""
        self._trace *= self._trace_decay
        self._trace += x
        step = rate * self._alpha * delta / max(float(x @ x), 1.0)
        self.weights += step * self._trace

    def reset(self) -> None:
        """Forget the trace, at the start of an episode."""
        self._trace[:] = 0.0
