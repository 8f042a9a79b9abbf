"""Choose by votes what an environment takes, and say which loss learns from it."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurorl.models.config import AgentConfig
from neurorl.models.gaussian import Gaussian
from neurorl.network.serialization import FloatArray
from neurorl.reparameterization.config import softmax_of
from neurorl.reparameterization.loss import log_policy, policy_loss

__all__ = ["Choices", "Numbers", "OneOfSeveral", "choices_for"]


@dataclass(frozen=True)
class Choices(abc.ABC):
    """Turn votes into what a gradient is of, and that into actions.

    one: such as is chosen, ``()`` or ``(numbers,)``. draws: shape of the even random numbers in
    [0, 1) that a choice takes. hold: steps of a rollout in a row that get the same ones.
    """

    config: AgentConfig

    @property
    @abc.abstractmethod
    def one(self) -> npt.NDArray[Any]:
        """Return such an action as is chosen."""

    @property
    @abc.abstractmethod
    def draws(self) -> tuple[int, ...]:
        """Return the shape of the draws of one choice."""

    @property
    def hold(self) -> int:
        """Return how many steps in a row explore the same way."""
        return 1

    @property
    def repeats(self) -> int:
        """Return in which steps of an episode an action is chosen, to be taken until the next."""
        return self.config.policy.repeats

    @abc.abstractmethod
    def of(self, votes: Tensor) -> Tensor:
        """Return what describes the choice: log policies or means, ``(..., n)``."""

    @abc.abstractmethod
    def shares(self, votes: Tensor) -> FloatArray:
        """Return the policy, or each module's share in the votes of its population."""

    @abc.abstractmethod
    def choose(self, votes: Tensor, u: Tensor, widths: FloatArray) -> npt.NDArray[Any]:
        """Return the actions of votes ``(R, E, n_actions)``. widths: of exploration, ``(R,)``."""

    def taken(self, actions: npt.NDArray[Any]) -> list[Any]:
        """Return what environments take, as a list, of actions ``(n, *one.shape)``."""
        taken: list[Any] = actions.tolist()
        return taken

    def width(self, decision: int) -> float:
        """Return the width of exploration in a decision, counted from 0; 0 if it has none."""
        return 0.0

    @abc.abstractmethod
    def loss(
        self,
        described: Tensor,
        actions: npt.NDArray[Any],
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        """Return the loss of actions ``(N, *one.shape)``, a scalar.

        described: what `of` returned, ``(N, n)``. widths, advantage: ``(N,)``.
        """


@dataclass(frozen=True)
class OneOfSeveral(Choices):
    """Draw one of n alternatives by the softmax of their votes."""

    n: int

    @property
    def one(self) -> npt.NDArray[Any]:
        return np.array(0, dtype=np.int64)

    @property
    def draws(self) -> tuple[int, ...]:
        return ()

    def of(self, votes: Tensor) -> Tensor:
        return log_policy(votes, *softmax_of(self.config))

    def shares(self, votes: Tensor) -> FloatArray:
        shares: FloatArray = self.of(votes).exp().double().numpy()
        return shares

    def choose(self, votes: Tensor, u: Tensor, widths: FloatArray) -> npt.NDArray[Any]:
        below = (self.of(votes).exp().double().cumsum(-1) < u[..., None]).sum(-1)
        chosen: npt.NDArray[Any] = below.clamp(max=self.n - 1).numpy()
        return chosen

    def loss(
        self,
        described: Tensor,
        actions: npt.NDArray[Any],
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        taken = torch.from_numpy(actions).to(described.device)
        return policy_loss(described, taken, advantage, entropy)


@dataclass(frozen=True)
class Numbers(Choices):
    """Explore around the means that populations code, as `neurorl.models.gaussian` says.

    Actions are kept as they were before they were clipped. The policy's entropy doesn't depend on
    the votes, so no loss has it.
    """

    policy: Gaussian
    n: int

    @property
    def one(self) -> npt.NDArray[Any]:
        return np.zeros(self.n)

    @property
    def draws(self) -> tuple[int, ...]:
        return (self.n, 2)

    @property
    def hold(self) -> int:
        return self.policy.hold

    def _populations(self, votes: Tensor) -> Tensor:
        return votes.view(*votes.shape[:-1], self.n, self.policy.population)

    def of(self, votes: Tensor) -> Tensor:
        n = self._populations(votes)
        ends = torch.linspace(-1.0, 1.0, self.policy.population, dtype=torch.float64)
        centres = ends.to(votes)  # its device, too
        total = n.sum(-1)
        mean: Tensor = (n @ centres) / torch.where(total > 0.0, total, 1.0)
        return mean

    def shares(self, votes: Tensor) -> FloatArray:
        n = self._populations(votes).double()
        total = n.sum(-1, keepdim=True)
        even = torch.full_like(n, 1.0 / self.policy.population)
        shares: FloatArray = torch.where(total > 0.0, n / total, even).flatten(-2).numpy()
        return shares

    def choose(self, votes: Tensor, u: Tensor, widths: FloatArray) -> npt.NDArray[Any]:
        z = torch.sqrt(-2.0 * torch.log1p(-u[..., 0])) * torch.cos(2.0 * math.pi * u[..., 1])
        sigma = torch.from_numpy(widths)[:, None, None]
        chosen: npt.NDArray[Any] = (self.of(votes).double() + sigma * z).numpy()
        return chosen

    def taken(self, actions: npt.NDArray[Any]) -> list[Any]:
        return super().taken(actions.clip(-1.0, 1.0))

    def width(self, decision: int) -> float:
        return self.policy.width(decision)

    def loss(
        self,
        described: Tensor,
        actions: npt.NDArray[Any],
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        sigma, a = (torch.from_numpy(x).to(described) for x in (widths, actions))
        log_p = -0.5 * (((a - described) / sigma[:, None]) ** 2).sum(-1)
        return -(advantage * log_p).mean()


def choices_for(config: AgentConfig, groups: Sequence[int]) -> Choices:
    """Return how an agent chooses that `check_agent` has let pass. groups: sizes, in modules."""
    if isinstance(config.policy, Gaussian):
        return Numbers(config, config.policy, len(groups))
    return OneOfSeveral(config, sum(groups))
