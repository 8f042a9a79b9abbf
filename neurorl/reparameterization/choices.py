"""Choose by votes what an environment takes, and say which loss learns from it.

An agent chooses one of several alternatives, one of each of several groups of them, or real
numbers, each around the mean that a population codes.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.gaussian_policy import Gaussian, no_mask
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.reparameterization.config import softmax_of
from neurorl.tasks.kinds import Shown

Mask = Tensor | None
"""Represent which votes are allowed; None allows all."""


class Taken(NamedTuple):
    """Hold N actions, ``(N, *template.shape)``, with their widths and advantages, ``(N,)``."""

    actions: Array
    widths: FloatArray
    advantage: Tensor


@dataclass(frozen=True)
class Choices(abc.ABC):
    """Turn votes into log policies or means, which a gradient passes through, and into actions.

    config: of the agent. groups: the number of votes in each group; one choice is made in each.
    template: an action of zeros, of shape ``()`` or ``(groups,)`` and its dtype. draws: the shape
    of the even random numbers in [0, 1) that one choice takes. hold: how many steps of a rollout in
    a row get the same ones, and so explore the same way.
    """

    config: AgentConfig
    groups: tuple[int, ...]
    template: Array
    draws: tuple[int, ...]
    hold: int = 1

    @property
    def n_actions(self) -> int:
        """Return the number of votes."""
        return sum(self.groups)

    @abc.abstractmethod
    def describe(self, votes: Tensor, allowed: Mask = None) -> Tensor:
        """Return log policies or means, ``(..., n)``.

        allowed: a mask of *votes*; None allows all. Raises UnsupportedError for one of numbers.
        """

    @abc.abstractmethod
    def shares(self, votes: Tensor, allowed: Mask = None) -> FloatArray:
        """Return the policy, or each module's share in the votes of its population."""

    @abc.abstractmethod
    def choose(self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Mask = None) -> Array:
        """Return the actions that votes ``(R, E, n_actions)`` lead to, by random numbers *u*.

        widths: of exploration, ``(R,)``. allowed: as in `describe`.
        """

    def taken(self, actions: Array) -> list[Shown]:
        """Return actions ``(n, *template.shape)`` as a list of what environments take."""
        return list(actions.tolist())

    def width(self, decision: int) -> float:
        """Return the width of exploration in a decision, counted from 0; 0 if it has none."""
        return 0.0

    @abc.abstractmethod
    def loss(self, described: Tensor, taken: Taken, entropy: float) -> Tensor:
        """Return the loss of actions, a scalar. described: what `describe` returned, ``(N, n)``."""


class GroupChoices(Choices):
    """Draw one alternative of each of several groups by the softmax of its votes.

    Groups choose independently, so the log-probability of a choice is their sum, and so is the
    policy's entropy. Where there is one group only, choices have no axis of groups.
    """

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.split(x, list(self.groups), dim=-1))

    def _masks(self, allowed: Mask) -> Sequence[Mask]:
        return [None] * len(self.groups) if allowed is None else self._split(allowed)

    def describe(self, votes: Tensor, allowed: Mask = None) -> Tensor:
        parts = zip(self._split(votes), self._masks(allowed), strict=True)
        each = [log_policy(n, *softmax_of(self.config), mask) for n, mask in parts]
        return each[0] if len(each) == 1 else torch.cat(each, dim=-1)

    def shares(self, votes: Tensor, allowed: Mask = None) -> FloatArray:
        return np.asarray(self.describe(votes, allowed).exp().double())

    def choose(self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Mask = None) -> Array:
        u = u.reshape(*votes.shape[:-1], len(self.groups))
        policies = self._split(self.describe(votes, allowed).exp().double())
        parts = enumerate(zip(policies, self._masks(allowed), strict=True))
        chosen = [_drawn(policy, u[..., g, None], mask) for g, (policy, mask) in parts]
        return np.stack(chosen, axis=-1).reshape(*votes.shape[:-1], *self.draws)

    def loss(self, described: Tensor, taken: Taken, entropy: float) -> Tensor:
        actions = torch.from_numpy(taken.actions).to(described.device)
        parts = enumerate(self._split(described))
        each = actions.reshape(len(described), len(self.groups))
        losses = [policy_loss(log_pi, each[:, g], taken.advantage, entropy) for g, log_pi in parts]
        return torch.stack(losses).sum()


def _drawn(policy: Tensor, u: Tensor, allowed: Mask) -> Array:
    """Return the alternatives that even numbers *u*, ``(..., 1)``, choose by a policy."""
    below, n = (policy.cumsum(-1) < u).sum(-1), policy.shape[-1]
    if allowed is None:
        return np.asarray(below.clamp(max=n - 1))
    numbers = torch.arange(n)  # at 0 and at sums that fall short of 1, of those allowed
    first = torch.where(allowed, numbers, n).amin(-1)
    return np.asarray(below.clamp(first, torch.where(allowed, numbers, -1).amax(-1)))


@dataclass(frozen=True)
class NumberChoices(Choices):
    """Explore around the means that populations code, as `Normal` does.

    Actions are kept as they were before they were clipped. The policy's entropy doesn't depend on
    the votes, so no loss has it.
    """

    policy: Gaussian = field(kw_only=True)

    def _populations(self, votes: Tensor) -> Tensor:
        return votes.view(*votes.shape[:-1], len(self.groups), self.policy.population)

    def describe(self, votes: Tensor, allowed: Mask = None) -> Tensor:
        if allowed is not None:
            raise no_mask()
        n = self._populations(votes)
        ends = torch.linspace(-1.0, 1.0, self.policy.population, dtype=torch.float64)
        centres = ends.to(votes)  # its device, too
        total = n.sum(-1)
        mean: Tensor = (n @ centres) / torch.where(total > 0.0, total, 1.0)
        return mean

    def shares(self, votes: Tensor, allowed: Mask = None) -> FloatArray:
        n = self._populations(votes).double()
        total = n.sum(-1, keepdim=True)
        even = torch.full_like(n, 1.0 / self.policy.population)
        return np.asarray(torch.where(total > 0.0, n / total, even).flatten(-2))

    def choose(self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Mask = None) -> Array:
        z = torch.sqrt(-2.0 * torch.log1p(-u[..., 0])) * torch.cos(2.0 * math.pi * u[..., 1])
        sigma = torch.from_numpy(widths)[:, None, None]
        return np.asarray(self.describe(votes, allowed).double() + sigma * z)

    def taken(self, actions: Array) -> list[Shown]:
        return super().taken(actions.clip(-1.0, 1.0))

    def width(self, decision: int) -> float:
        return self.policy.width(decision)

    def loss(self, described: Tensor, taken: Taken, entropy: float) -> Tensor:
        sigma, a = (torch.from_numpy(x).to(described) for x in (taken.widths, taken.actions))
        log_p = -0.5 * (((a - described) / sigma[:, None]) ** 2).sum(-1)
        return -(taken.advantage * log_p).mean()


def choices_for(config: AgentConfig, groups: Sequence[int]) -> Choices:
    """Return how an agent chooses that `check_agent` has let pass. groups: sizes, in modules."""
    n, policy = len(groups), config.policy
    if isinstance(policy, Gaussian):
        coded = (policy.population,) * n
        return NumberChoices(config, coded, np.zeros(n), (n, 2), policy.hold, policy=policy)
    draws = () if n == 1 else (n,)
    return GroupChoices(config, tuple(groups), np.zeros(draws, dtype=np.int64), draws)


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
    logits = beta * n if allowed is None else (beta * n).masked_fill(~allowed, -math.inf)
    log_pi = torch.log_softmax(logits, dim=-1)
    if not exploration:
        return log_pi
    count = n.shape[-1] if allowed is None else allowed.sum(dim=-1, keepdim=True)
    mixed = torch.log((1.0 - exploration) * log_pi.exp() + exploration / count)
    return mixed if allowed is None else mixed.masked_fill(~allowed, -math.inf)


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
