"""Say what a choice is: how votes become actions, and which loss learns from these."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorl.models.agent.config import AgentConfig
from neurorl.numerics.arrays import Array, FloatArray


@dataclass(frozen=True)
class Choices(abc.ABC):
    """Turn votes into log policies or means, which a gradient passes through, and into actions.

    config: of the agent. A choice takes even random numbers in [0, 1), in an array of shape
    `draws`; `hold` steps of a rollout in a row get the same ones.
    """

    config: AgentConfig

    @property
    @abc.abstractmethod
    def groups(self) -> tuple[int, ...]:
        """Return the number of votes in each group; one choice is made in each."""

    @property
    @abc.abstractmethod
    def template(self) -> Array:
        """Return an action of zeros: its shape, ``()`` or ``(groups,)``, and its dtype."""

    @property
    @abc.abstractmethod
    def draws(self) -> tuple[int, ...]:
        """Return the shape of the random numbers that one choice takes."""

    @property
    def hold(self) -> int:
        """Return how many steps in a row explore the same way."""
        return 1

    @property
    def repeats(self) -> int:
        """Return how many steps of an episode in a row take the same action."""
        return self.config.policy.repeats

    @abc.abstractmethod
    def describe(self, votes: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return log policies or means, ``(..., n)``.

        allowed: a mask of *votes*; None allows all. Raises UnsupportedError for one of numbers.
        """

    @abc.abstractmethod
    def shares(self, votes: Tensor, allowed: Tensor | None = None) -> FloatArray:
        """Return the policy, or each module's share in the votes of its population."""

    @abc.abstractmethod
    def choose(
        self, votes: Tensor, u: Tensor, widths: FloatArray, allowed: Tensor | None = None
    ) -> Array:
        """Return the actions that votes ``(R, E, n_actions)`` lead to, by random numbers *u*.

        widths: of exploration, ``(R,)``. allowed: as in `describe`.
        """

    def taken(self, actions: Array) -> list[Any]:
        """Return actions ``(n, *template.shape)`` as a list of what environments take."""
        taken: list[Any] = actions.tolist()
        return taken

    def width(self, decision: int) -> float:
        """Return the width of exploration in a decision, counted from 0; 0 if it has none."""
        return 0.0

    @abc.abstractmethod
    def loss(
        self,
        described: Tensor,
        actions: Array,
        widths: FloatArray,
        advantage: Tensor,
        entropy: float,
    ) -> Tensor:
        """Return the loss of actions ``(N, *template.shape)``, a scalar.

        described: what `describe` returned, ``(N, n)``. widths, advantage: ``(N,)``.
        """
