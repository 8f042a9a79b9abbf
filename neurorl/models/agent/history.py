"""Keep what a critic sees of the observations before the last one."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features import Features, FromNumbers

__all__ = ["ObservationHistory", "check_changes"]


class ObservationHistory:
    """Hold the numbers that features read, ``flat``: ``(n, n_inputs)``, for n environments.

    Without *changes*, a row is the last observation o_t. With L changes it is
    ``(o_t, o_t - o_{t-1}, ..., o_{t-L+1} - o_{t-L})``; changes before an episode are 0.
    changes: the part of flat that holds changes, a view.
    """

    def __init__(self, features: Features, changes: int, n: int) -> None:
        self.flat = np.zeros((n, features.n_inputs))
        self._features, self._n = features, changes
        self._size = features.n_inputs // (1 + changes)
        self.changes = self.flat[:, self._size :]

    def see(self, i: int, observation: Any) -> None:
        """Take the observation of environment *i* after a step."""
        if not self._n:
            self.see_again(i, observation)
            return
        now = self._features.flat(observation)
        rows = self.flat[i].reshape(1 + self._n, self._size)
        rows[2:] = rows[1:-1].copy()  # a copy, as the slices overlap
        rows[1] = now - rows[0]
        rows[0] = now

    def see_again(self, i: int, observation: Any) -> None:
        """Take another observation of environment *i* at the same time, without a change."""
        self.flat[i, : self._size] = self._features.flat(observation)

    def begin(self, i: int) -> None:
        """Begin an episode of environment *i*, in which nothing has changed yet."""
        if self._n:
            self.changes[i] = 0.0


def check_changes(features: Features, cells: Features, changes: int) -> None:
    """Raise DescriptionError for features that can't read an observation and its changes."""
    if not changes:
        return
    where = "agent.critic.changes"
    for name, of in (("features", features), ("cells", cells)):
        if type(of).flat is not FromNumbers.flat:
            what = f"needs {name} of a plain vector"
            raise DescriptionError(where, what, got=type(of).__name__)
    needed = (1 + changes) * cells.n_inputs
    if features.n_inputs != needed:
        what = f"needs features of the observation and its last {changes} changes"
        remedy = "a range for each of these numbers"
        raise DescriptionError(
            where, what, got=f"{features.n_inputs} numbers", limit=needed, remedy=remedy
        )
