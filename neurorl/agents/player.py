"""Play a network without learning: get an observation, return an action and its causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurorl.backends.base import Raster
from neurorl.backends.checks import Inputs
from neurorl.errors import ArgumentError, quoted
from neurorl.learning.loops.base import Loop
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.tasks.actions import MASK
from neurorl.tasks.answers import UnfitError, observation_reader
from neurorl.tasks.kinds import Shown, Space

MAX_REPLICAS = 4096
"""Limit the replicas that play side by side, before memory is taken for them."""


@dataclass(frozen=True)
class Move:
    """Hold a decision and its causes; the arrays are valid until the next decision.

    action: counted from 0; for several choices a list of these, or of numbers in [-1, 1].
    """

    action: Shown
    policy: FloatArray
    inputs: Inputs
    rasters: dict[str, Raster]


_EPISODE = 32
"""Set how far apart the draws of two episodes begin: 2**32 steps, and as many decisions."""


class Player:
    """Play agents of a *loop* that doesn't learn, side by side, each in an episode of its own.

    Draws depend on the backend's seed and `decisions` only.

    space: space of observations; None takes what the cells take.
    """

    def __init__(self, loop: Loop, space: Space | None = None) -> None:
        self._read = None if space is None else observation_reader(space)
        self.backend, self._loop = loop.backend, loop

    @property
    def decisions(self) -> int:
        """Return how many decisions were made."""
        return int(self._loop.memory.decisions[0, 0])

    @property
    def inputs(self) -> Inputs:
        """Return the inputs of the last decision, of all replicas."""
        return self._loop.window.inputs

    @property
    def rasters(self) -> dict[str, Raster]:
        """Return the spikes of the last decision, of all replicas."""
        return self._loop.window.rasters

    def begin(self, k: int = 0) -> None:
        """Begin an episode: silence a network that carries its state on; forget memories."""
        self._loop.forget_seen(k)
        if self._loop.config.carries:
            self.backend.reset([k])

    def remembered(self, k: int = 0) -> dict[str, Array | None] | None:
        """Return what replica k remembers of its episode; None if it never remembers anything."""
        kept = self._loop.remembered(k)
        if self._loop.config.carries:
            state = self.backend.state(k).items()
            kept |= {n: a for n, a in state if n != "t" and not n.endswith(".weights")}
        return kept or None

    def remember(self, memory: object, k: int = 0) -> None:
        """Let replica k go on from what `remembered` returned; None begins an episode.

        Draws go on. Raises ArgumentError for anything else.
        """
        self.begin(k)
        self._loop.decided[k] = 0
        if memory is None:
            return
        own = self.remembered(k) or {}
        if not (isinstance(memory, Mapping) and own.keys() == memory.keys()):
            limit = "None, or what predict returned"
            raise ArgumentError("predict, state", "doesn't fit", got=quoted(memory), limit=limit)
        self._loop.remember(k, memory)
        if self._loop.config.carries:
            state = self.backend.state(k)
            self.backend.restore({n: memory.get(n, a) for n, a in state.items()}, k)

    def begin_episode(self, k: int, number: int) -> None:
        """Begin episode *number* on replica k; its draws follow from the number alone.

        A policy whose exploration shrinks with decisions explores as at its end.
        """
        self._loop.forget_seen(k)
        start = (number + 1) << _EPISODE
        self.backend.begin_at(start, k)
        self._loop.memory.decisions[k] = start
        self._loop.active[k] = True

    def rest(self, k: int) -> None:
        """Stop the decisions of replica k."""
        self._loop.active[k] = False

    def see(
        self, k: int, observation: Shown, action_mask: object = None, reward: float | None = None
    ) -> None:
        """Show replica k an observation. Raises ArgumentError for one of another space.

        action_mask: the allowed actions; None allows all. reward: what the last step was paid, for
        agents that see this (``sees_rewards``), which need it after the first observation.
        """
        loop = self._loop
        if loop.config.sees_rewards and loop.has_begun(k):
            if reward is None:
                what = "the agent sees what its last action was paid"
                raise ArgumentError("predict, reward", what, got=None, limit="a number")
            loop.paid[k] = reward
        if self._read is not None:
            try:
                observation = self._read(observation)
            except UnfitError as exc:
                remedy = "predict takes one, or a batch of such"
                raise ArgumentError(exc.say("observation", remedy)) from exc
        loop.see(k, observation)
        if action_mask is not None:
            loop.restrict(k, {MASK: action_mask}, "action_mask")
        elif loop.masked[k]:
            loop.allow(k, None)

    def decide(self) -> list[Shown]:
        """Return the action of each replica; of resting replicas the last one."""
        chosen: list[Shown] = self._loop.decide().tolist()
        return chosen

    def move(
        self, observation: Shown, action_mask: object = None, reward: float | None = None
    ) -> Move:
        """Choose the first replica's action for an observation; arguments as in `see`."""
        self.see(0, observation, action_mask, reward)
        return Move(self.decide()[0], self._loop.probabilities[0], self.inputs, self.rasters)
