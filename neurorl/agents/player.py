"""Play a network without learning: an observation in, an action out, and what led to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.errors import ArgumentError
from neurorl.learning.loops.choose import make_loop
from neurorl.models.config import AgentConfig
from neurorl.network.serialization import FloatArray
from neurorl.tasks.actions import MASK, allowed_actions
from neurorl.tasks.observations import UnfitError, observation_reader

__all__ = ["Move", "Player"]


@dataclass(frozen=True)
class Move:
    """Hold a decision and all that led to it; the arrays are valid until the next one.

    action: counted from 0; of several choices a list of these, or of numbers in [-1, 1].
    """

    action: Any
    policy: FloatArray
    inputs: Inputs
    rasters: dict[str, Raster]


class Player:
    """Play one agent on a backend; draws depend on the backend's seed and `decisions` only.

    explore: actions are drawn by the configuration's policy; else they have the most votes.
    n_actions: how many there are, or for several choices the size of each group.
    space: that observations must be of; None takes what the cells take.
    """

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int | Sequence[int],
        explore: bool = False,
        space: gym.Space[Any] | None = None,
    ) -> None:
        self._read = None if space is None else observation_reader(space)
        self.backend = backend
        self._loop = make_loop(config, backend, n_actions, greedy=not explore, learns=False)

    @property
    def decisions(self) -> int:
        """Return how many were made."""
        return int(self._loop.memory.decisions[0, 0])

    def begin(self) -> None:
        """Begin an episode: silence a network that carries its state on."""
        if self._loop.config.carries:
            self.backend.reset()

    def move(self, observation: Any, action_mask: Any = None) -> Move:
        """Choose the action for an observation. Raises ArgumentError for one of another space.

        action_mask: what is allowed; None allows all.
        """
        loop = self._loop
        if self._read is not None:
            try:
                observation = self._read(observation)
            except UnfitError as exc:
                raise ArgumentError(exc.say("observation", "give one, not a batch")) from exc
        loop.see(0, observation)
        if action_mask is not None or loop.masked[0]:
            loop.allow(0, self._allowed(action_mask))
        action = loop.decide()[0].tolist()
        return Move(action, loop.probabilities[0], loop.window.inputs, loop.window.rasters)

    def _allowed(self, action_mask: Any) -> npt.NDArray[np.bool_] | None:
        if action_mask is None:
            return None
        return allowed_actions({MASK: action_mask}, self._loop.groups, "action_mask")
