"""Play a network without learning: an observation in, an action out, and what led to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.errors import ArgumentError
from neurorl.learning.loops.choose import make_loop
from neurorl.models.config import AgentConfig
from neurorl.network.serialization import FloatArray
from neurorl.tasks.observations import UnfitError, observation_reader

__all__ = ["Move", "Player"]


@dataclass(frozen=True)
class Move:
    """Hold a decision and all that led to it; the arrays are valid until the next one."""

    action: int
    policy: FloatArray
    inputs: Inputs
    rasters: dict[str, Raster]


class Player:
    """Play one agent on a backend; draws depend on the backend's seed and `decisions` only.

    explore: actions are drawn by the configuration's policy; else they have the most votes.
    space: that observations must be of; None takes what the cells take.
    """

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int,
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

    def move(self, observation: Any) -> Move:
        """Choose the action for an observation. Raises ArgumentError for one of another space."""
        loop = self._loop
        if self._read is not None:
            try:
                observation = self._read(observation)
            except UnfitError as exc:
                raise ArgumentError(exc.say("observation", "give one, not a batch")) from exc
        loop.see(0, observation)
        action = int(loop.decide()[0])
        return Move(action, loop.probabilities[0], loop.window.inputs, loop.window.rasters)
