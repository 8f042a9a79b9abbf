"""What a critic sees of the observations before the last one."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.errors import DescriptionError, say
from neurorl.models.features import Features, FromNumbers

__all__ = ["History", "check_changes"]


class History:
    """The numbers that features are made of, for each of *n* environments: flat, ``(n, n_inputs)``.

    Without *changes*, those of the last observation o_t. With L of them also how that came about,
    ``(o_t, o_t - o_{t-1}, ..., o_{t-L+1} - o_{t-L})``; before an episode began, nothing changed.
    changes: those, a view of flat.
    """

    def __init__(self, features: Features, changes: int, n: int) -> None:
        self.flat = np.zeros((n, features.n_inputs))
        self._features, self._n = features, changes
        self._size = features.n_inputs // (1 + changes)
        self.changes = self.flat[:, self._size :]

    def see(self, i: int, observation: Any) -> None:
        """Environment *i* shows this now."""
        if not self._n:
            self.see_again(i, observation)
            return
        now = self._features.flat(observation)
        mine = self.flat[i].reshape(1 + self._n, self._size)
        mine[2:] = mine[1:-1].copy()
        mine[1] = now - mine[0]
        mine[0] = now

    def see_again(self, i: int, observation: Any) -> None:
        """Environment *i* shows this, and no time has passed."""
        self.flat[i, : self._size] = self._features.flat(observation)

    def begin(self, i: int) -> None:
        """What environment *i* shows is the first of an episode."""
        self.changes[i] = 0.0


def check_changes(features: Features, cells: Features, changes: int) -> None:
    """Raises DescriptionError for features that can't be of an observation and its changes."""
    if not changes:
        return
    where = "agent.critic_changes"
    for name, mine in (("features", features), ("cells", cells)):
        if type(mine).flat is not FromNumbers.flat:
            what = f"needs {name} of a plain vector"
            raise DescriptionError(say(where, what, got=type(mine).__name__))
    needed = (1 + changes) * cells.n_inputs
    if features.n_inputs != needed:
        what = f"needs features of the observation and its last {changes} changes"
        remedy = "a range for each of these numbers"
        raise DescriptionError(
            say(where, what, got=f"{features.n_inputs} numbers", limit=needed, remedy=remedy)
        )
