"""Compute advantages, what states are worth, and the loss whose gradient the weights follow."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from neurorl.numerics.arrays import BoolArray, FloatArray


def advantages(
    rewards: FloatArray,
    values: FloatArray,
    next_values: FloatArray,
    terminated: BoolArray,
    over: BoolArray,
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


def votes(output: Tensor, n_actions: int, first_step: int) -> Tensor:
    """Count votes as `neurorl.models.agent.policies.votes` does.

    output: ``(steps, ..., actors * n_actions)``. Returns ``(..., n_actions)``.
    """
    counts = output[first_step:].sum(dim=0)
    return counts.view(*counts.shape[:-1], -1, n_actions).sum(dim=-2)


def log_policy(
    n: Tensor, beta: float, exploration: float = 0.0, allowed: Tensor | None = None
) -> Tensor:
    """Return ``log pi``, ``(..., n_actions)``; see `neurorl.models.agent.policies.softmax`.

    allowed: a mask of *n*, with one action or more in each row; log pi of the others is -inf, and
    exploration is among these. None allows all.
    """
    forbidden = None if allowed is None else ~allowed
    logits = beta * n if forbidden is None else (beta * n).masked_fill(forbidden, -math.inf)
    log_pi = torch.log_softmax(logits, dim=-1)
    if not exploration:
        return log_pi
    if allowed is None or forbidden is None:
        return torch.log((1.0 - exploration) * log_pi.exp() + exploration / n.shape[-1])
    mixed = (1.0 - exploration) * log_pi.exp() + exploration / allowed.sum(dim=-1, keepdim=True)
    return torch.log(mixed).masked_fill(forbidden, -math.inf)


def policy_loss(log_pi: Tensor, actions: Tensor, advantage: Tensor, entropy: float) -> Tensor:
    """Return ``- mean(A log pi(a)) - entropy mean(H(pi))``, a scalar.

    log_pi: ``(n, n_actions)``, -inf for actions of probability 0. actions, advantage: ``(n,)``.
    """
    taken = log_pi.gather(-1, actions[:, None])[:, 0]
    loss = -(advantage * taken).mean()
    if entropy:
        finite = log_pi.clamp(min=torch.finfo(log_pi.dtype).min)  # as 0 times -inf is not 0
        loss = loss + entropy * (log_pi.exp() * finite).sum(dim=-1).mean()
    return loss
