"""Compute the loss whose gradient the weights follow, from spikes."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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
