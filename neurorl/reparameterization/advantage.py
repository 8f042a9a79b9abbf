"""Estimate how much better than expected actions were, and what states are worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import FloatArray


def advantages(
    rewards: FloatArray,
    values: FloatArray,
    next_values: FloatArray,
    terminated: npt.NDArray[np.bool_],
    over: npt.NDArray[np.bool_],
    gamma: float,
    lambda_: float,
) -> FloatArray:
    """Return ``A_t = delta_t + gamma lambda (1 - over_t) A_{t+1}``, shaped as *rewards*.

    ``delta_t = r_t + gamma (1 - terminated_t) V(s'_t) - V(s_t)``. All are ``(T, environments)``;
    next_values: of the state that the action led to, also where an episode was cut off and another
    began. ``A + V`` is the lambda-return.
    Source: generalised advantage estimation, Schulman et al. 2016 (arXiv:1506.02438).
    """
    delta = rewards + gamma * np.where(terminated, 0.0, next_values) - values
    advantage = np.empty_like(delta)
    after = np.zeros(delta.shape[1:])
    for t in range(len(delta) - 1, -1, -1):
        after = delta[t] + gamma * lambda_ * np.where(over[t], 0.0, after)
        advantage[t] = after
    return advantage


class LinearValues:
    """Estimate ``V = v . x``: the critic of the local rules, for rollouts.

    weights: v, ``(n_features,)``. alpha: step size, a fraction of the error removed at once.
    """

    def __init__(self, n_features: int, alpha: float) -> None:
        self.weights = np.zeros(n_features)
        self._alpha = alpha

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return V of features ``(..., n_features)``."""
        return np.asarray(x @ self.weights)

    def learn(self, x: FloatArray, targets: FloatArray) -> None:
        """Learn ``v <- v + alpha sum_e (G_e - V(x_e)) x_e / max(|x_e|**2, 1)``, step by step.

        A step is one of all environments; so a state that is seen again and again can't overshoot.

        x: ``(T, environments, n_features)``. targets: G, ``(T, environments)``.
        """
        steps = self._alpha / np.maximum(np.einsum("tef,tef->te", x, x), 1.0)
        for x_t, g, step in zip(x, targets, steps, strict=True):
            self.weights += (step * (g - x_t @ self.weights)) @ x_t
