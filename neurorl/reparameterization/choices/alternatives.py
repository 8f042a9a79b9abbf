"""Choose one of several alternatives, or one of each of several groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurorl.numerics.arrays import Array, FloatArray
from neurorl.reparameterization.choices.base import Choices
from neurorl.reparameterization.config import softmax_of
from neurorl.reparameterization.loss import log_policy, policy_loss


class _Alternatives(Choices):
    """Describe a choice by its log policies."""

    def shares(self, votes: Tensor, allowed: Tensor | None = None) -> FloatArray:
        shares: FloatArray = self.describe(votes, allowed).exp().double().numpy()
        return shares


@dataclass(frozen=True)
class OneOfSeveral(_Alternatives):
    """Draw one of n alternatives by the softmax of their votes."""

    n: int

    @property
    def groups(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def template(self) -> Array:
        return np.array(0, dtype=np.int64)

    @property
    def draws(self) -> tuple[int, ...]:
        return ()

    def describe(self, votes: Tensor, allowed: Tensor | None = None) -> Tensor:
        return log_policy(votes, *softmax_of(self.config), allowed)

    def choose(
        self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Tensor | None = None
    ) -> Array:
        cumulated = self.describe(votes, allowed).exp().double().cumsum(-1)
        below = (cumulated < u[..., None]).sum(-1)
        if allowed is None:
            chosen: Array = below.clamp(max=self.n - 1).numpy()
            return chosen
        numbers = torch.arange(self.n)  # at 0 and at sums that fall short of 1, of those allowed
        first = torch.where(allowed, numbers, self.n).amin(-1)
        chosen = below.clamp(first, torch.where(allowed, numbers, -1).amax(-1)).numpy()
        return chosen

    def loss(
        self,
        described: Tensor,
        actions: Array,
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        taken = torch.from_numpy(actions).to(described.device)
        return policy_loss(described, taken, advantage, entropy)


@dataclass(frozen=True)
class OneOfEach(_Alternatives):
    """Draw one alternative of each of several groups, independently of the others.

    The log-probability of a choice is the sum over groups, and so is the policy's entropy.
    """

    sizes: tuple[int, ...]

    @property
    def groups(self) -> tuple[int, ...]:
        return self.sizes

    @property
    def template(self) -> Array:
        return np.zeros(len(self.sizes), dtype=np.int64)

    @property
    def draws(self) -> tuple[int, ...]:
        return (len(self.sizes),)

    @property
    def _each(self) -> list[OneOfSeveral]:
        return [OneOfSeveral(self.config, n) for n in self.sizes]

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = torch.split(x, list(self.sizes), dim=-1)
        return parts

    def _split_mask(self, allowed: Tensor | None) -> Sequence[Tensor | None]:
        return [None] * len(self.sizes) if allowed is None else self._split(allowed)

    def describe(self, votes: Tensor, allowed: Tensor | None = None) -> Tensor:
        parts = zip(self._each, self._split(votes), self._split_mask(allowed), strict=True)
        return torch.cat([group.describe(n, mask) for group, n, mask in parts], dim=-1)

    def choose(
        self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Tensor | None = None
    ) -> Array:
        parts = zip(self._each, self._split(votes), self._split_mask(allowed), strict=True)
        chosen = [
            group.choose(n, u[..., g], widths, mask) for g, (group, n, mask) in enumerate(parts)
        ]
        return np.stack(chosen, axis=-1)

    def loss(
        self,
        described: Tensor,
        actions: Array,
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        parts = zip(self._each, self._split(described), actions.T, strict=True)
        losses = [
            group.loss(log_pi, taken, widths, advantage, entropy) for group, log_pi, taken in parts
        ]
        return torch.stack(losses).sum()
