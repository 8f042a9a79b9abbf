"""Say what a choice is: how votes become actions, and which loss learns from these."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from torch import Tensor

from neurorl.models.config import AgentConfig
from neurorl.network.serialization import FloatArray

__all__ = ["Choices"]


@dataclass(frozen=True)
class Choices(abc.ABC):
    """Turn votes into what a gradient is of, and that into actions.

    one: such as is chosen, ``()`` or ``(groups,)``. draws: shape of the even random numbers in
    [0, 1) that a choice takes. hold: steps of a rollout in a row that get the same ones.
    """

    config: AgentConfig

    @property
    @abc.abstractmethod
    def groups(self) -> tuple[int, ...]:
        """Return the sizes of the groups of votes, of each of which one choice is made."""

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
    def of(self, votes: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return what describes the choice: log policies or means, ``(..., n)``.

        allowed: a mask of *votes*; None allows all. Raises UnsupportedError for one of numbers.
        """

    @abc.abstractmethod
    def shares(self, votes: Tensor, allowed: Tensor | None = None) -> FloatArray:
        """Return the policy, or each module's share in the votes of its population."""

    @abc.abstractmethod
    def choose(
        self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Tensor | None = None
    ) -> npt.NDArray[Any]:
        """Return the actions of votes ``(R, E, n_actions)``.

        widths: of exploration, ``(R,)``. allowed: as in `of`.
        """

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
