"""Choose real numbers, each around the mean that a population codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.models.agent.gaussian_policy import Gaussian, no_mask
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.reparameterization.choices.base import Choices


@dataclass(frozen=True)
class NumberChoices(Choices):
    """Explore around the means that populations code, as `Normal` does.

    Actions are kept as they were before they were clipped. The policy's entropy doesn't depend on
    the votes, so no loss has it.
    """

    policy: Gaussian
    n: int

    @property
    def groups(self) -> tuple[int, ...]:
        return (self.policy.population,) * self.n

    @property
    def template(self) -> Array:
        return np.zeros(self.n)

    @property
    def draws(self) -> tuple[int, ...]:
        return (self.n, 2)

    @property
    def hold(self) -> int:
        return self.policy.hold

    def _populations(self, votes: Tensor) -> Tensor:
        return votes.view(*votes.shape[:-1], self.n, self.policy.population)

    def describe(self, votes: Tensor, allowed: Tensor | None = None) -> Tensor:
        if allowed is not None:
            raise no_mask()
        n = self._populations(votes)
        ends = torch.linspace(-1.0, 1.0, self.policy.population, dtype=torch.float64)
        centres = ends.to(votes)  # its device, too
        total = n.sum(-1)
        mean: Tensor = (n @ centres) / torch.where(total > 0.0, total, 1.0)
        return mean

    def shares(self, votes: Tensor, allowed: Tensor | None = None) -> FloatArray:
        n = self._populations(votes).double()
        total = n.sum(-1, keepdim=True)
        even = torch.full_like(n, 1.0 / self.policy.population)
        shares: FloatArray = torch.where(total > 0.0, n / total, even).flatten(-2).numpy()
        return shares

    def choose(
        self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Tensor | None = None
    ) -> Array:
        z = torch.sqrt(-2.0 * torch.log1p(-u[..., 0])) * torch.cos(2.0 * math.pi * u[..., 1])
        sigma = torch.from_numpy(widths)[:, None, None]
        chosen: Array = (self.describe(votes, allowed).double() + sigma * z).numpy()
        return chosen

    def taken(self, actions: Array) -> list[Any]:
        return super().taken(actions.clip(-1.0, 1.0))

    def width(self, decision: int) -> float:
        return self.policy.width(decision)

    def loss(
        self,
        described: Tensor,
        actions: Array,
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        sigma, a = (torch.from_numpy(x).to(described) for x in (widths, actions))
        log_p = -0.5 * (((a - described) / sigma[:, None]) ** 2).sum(-1)
        return -(advantage * log_p).mean()
