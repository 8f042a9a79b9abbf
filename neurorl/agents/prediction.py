"""Choose actions for one observation or for several, each with what came before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from neurorl.agents.player import Player
from neurorl.errors import ArgumentError, quoted
from neurorl.numerics.arrays import Array
from neurorl.tasks.actions import Actions
from neurorl.tasks.answers import UnfitError, each_mask, each_observation
from neurorl.tasks.kinds import Shown, Space

UNNAMED: Final = object()
"""Stand for a state that a call doesn't name, as None begins an episode."""


@dataclass(frozen=True)
class Question:
    """Hold the arguments of a prediction in the forms of Stable-Baselines3.

    shown, masks: an observation and its mask, or a batch of each. state: of an earlier answer; None
    begins episodes. starts: whether an episode starts, for each of a batch; None is False.
    """

    shown: Shown
    masks: object
    state: object
    starts: object

    def one(self, player: Player, actions: Actions) -> tuple[Shown, object]:
        """Return the action for one observation, and the state after it."""
        (start,) = self._flags(1)
        return _answer(player, actions, self.shown, self.masks, None if start else self.state)

    def batch(self, player: Player, actions: Actions, space: Space) -> tuple[Array, object]:
        """Return the actions for a batch of observations in *space*, and the states after them."""
        try:
            rows = each_observation(space, self.shown)
        except UnfitError as exc:
            raise ArgumentError(exc.say("observations")) from exc
        n = len(rows)
        masks = each_mask(self.masks, n, len(actions.groups(2)))
        states: Sequence[object] = [None] * n if self.state is None else _states(self.state, n)
        rows_of = zip(rows, masks, states, self._flags(n), strict=True)
        answers = [_answer(player, actions, row, m, None if s else st) for row, m, st, s in rows_of]
        after = tuple(state for _, state in answers)
        return np.array([action for action, _ in answers]), None if None in after else after

    def _flags(self, n: int) -> list[bool]:
        """Return whether an episode starts, for each of *n* observations."""
        given = np.asarray(False if self.starts is None else self.starts)
        if given.dtype.kind != "b" or given.shape not in ((), (n,)):
            limit = f"True, False, or {n} of these"
            where = "predict, episode_start"
            raise ArgumentError(where, "doesn't fit", got=quoted(self.starts), limit=limit)
        flags: list[bool] = np.broadcast_to(given, (n,)).tolist()
        return flags


def _answer(
    player: Player, actions: Actions, shown: Shown, mask: object, state: object
) -> tuple[Shown, Mapping[str, Array] | None]:
    player.remember(state)
    taken = actions.taken(player.move(shown, mask).action)
    return taken, player.remembered()


def _states(state: object, n: int) -> Sequence[object]:
    if not isinstance(state, tuple) or len(state) != n:
        limit = f"None, or what predict returned for {n} observations"
        raise ArgumentError("predict, state", "doesn't fit", got=quoted(state), limit=limit)
    return state
