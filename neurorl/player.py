"""One decision: an observation in, input spikes, a window of the network, votes, an action out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.base import Backend, Raster
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.encoder import quiet_spikes
from neurorl.policy import choose, greedy, softmax, votes
from neurorl.random import DrawRows, Stream

__all__ = ["Move", "Player"]


@dataclass(frozen=True)
class Move:
    """A decision and all that led to it."""

    action: int
    policy: FloatArray
    inputs: dict[str, Raster]
    rasters: dict[str, Raster]


class Player:
    """Plays a network on a backend; every draw depends on the seed and `decisions` only."""

    def __init__(self, config: AgentConfig, backend: Backend, n_actions: int, seed: int) -> None:
        self.backend = backend
        self.decisions = 0
        self._config = config
        self._n_actions = n_actions
        self._first = backend.network.depth("output")
        self._phases = DrawRows(seed, Stream.ENCODER, config.cells.size)
        self._draws = DrawRows(seed, Stream.ACTION, 1)
        self._bias = np.ones((config.window, 1), dtype=bool)

    def move(self, observation: Any, explore: bool) -> Move:
        """The action for an observation: drawn from the softmax if *explore*, else most votes."""
        config = self._config
        phase = self._phases(self.decisions)
        raster = quiet_spikes(config.cells(observation), phase, config.window)
        inputs = {"input": raster, "bias": self._bias}
        self.backend.reset()
        rasters = self.backend.step(inputs, config.window)
        n = votes(rasters["output"], self._n_actions, self._first)
        policy = softmax(n, config.beta) if explore else greedy(n)
        action = choose(policy, float(self._draws(self.decisions)[0]))
        self.decisions += 1
        return Move(action, policy, inputs, rasters)
