"""Choose actions for several observations, each with what came before it in its episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from neurorl.agents.player import Player
from neurorl.errors import ArgumentError, quoted
from neurorl.tasks.actions import Actions
from neurorl.tasks.kinds import Shown

UNNAMED: Final = object()
"""Stand for a state that a call doesn't name, as None begins an episode."""


def predicted(
    player: Player,
    actions: Actions,
    rows: Sequence[tuple[Shown, object]],
    states: object,
    starts: object,
) -> list[tuple[Shown, object]]:
    """Return the action for each of *rows*, an observation and its mask, and the state after it.

    states: of earlier answers, one for each row; None begins an episode, `UNNAMED` goes on in the
    last one. starts: whether an episode starts, for all or for each row; None is False. Raises
    ArgumentError for what doesn't fit.
    """
    n = len(rows)
    if not isinstance(states, (list, tuple)) or len(states) != n:
        limit = "None, or what predict returned"
        raise ArgumentError("predict, state", "doesn't fit", got=quoted(states), limit=limit)
    given = np.asarray(False if starts is None else starts)
    if given.dtype.kind != "b" or given.shape not in ((), (n,)):
        where, limit = "predict, episode_start", f"True, False, or {n} of these"
        raise ArgumentError(where, "doesn't fit", got=quoted(starts), limit=limit)
    answers: list[tuple[Shown, object]] = []
    for row, state, start in zip(rows, states, np.broadcast_to(given, (n,)), strict=True):
        if start or state is not UNNAMED:
            player.remember(None if start else state)
        action = actions.taken(player.move(*row).action)
        answers.append((action, None if state is UNNAMED else player.remembered()))
    return answers
