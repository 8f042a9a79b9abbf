"""Compute the loss whose gradient the weights follow, from spikes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["log_policy", "policy_loss", "votes"]


def votes(output: Tensor, n_actions: int, first_step: int) -> Tensor:
    """Count votes as `neurorl.models.policies.votes` does.

    output: ``(steps, ..., actors * n_actions)``. Returns ``(..., n_actions)``.
    """
    counts = output[first_step:].sum(dim=0)
    return counts.view(*counts.shape[:-1], -1, n_actions).sum(dim=-2)


def log_policy(n: Tensor, beta: float, exploration: float = 0.0) -> Tensor:
    """Return ``log pi``, ``(..., n_actions)``; see `neurorl.models.policies.softmax`."""
    log_pi = torch.log_softmax(beta * n, dim=-1)
    if not exploration:
        return log_pi
    return torch.log((1.0 - exploration) * log_pi.exp() + exploration / n.shape[-1])


def policy_loss(log_pi: Tensor, actions: Tensor, advantage: Tensor, entropy: float) -> Tensor:
    """Return ``- mean(A log pi(a)) - entropy mean(H(pi))``, a scalar.

    log_pi: ``(n, n_actions)``. actions, advantage: ``(n,)``.
    """
    taken = log_pi.gather(-1, actions[:, None])[:, 0]
    loss = -(advantage * taken).mean()
    if entropy:
        loss = loss + entropy * (log_pi.exp() * log_pi).sum(dim=-1).mean()
    return loss
