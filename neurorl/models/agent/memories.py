"""Keep what an agent, or its critic, sees of the observations before the last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features import Features, FromNumbers, HashedStates, SelectParts
from neurorl.models.features.base import parts_in
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.tasks.kinds import Shown


class Memories:
    """Keep running means of the observations of *n* environments, and extend observations by them.

    `see` turns an observation ``o`` of d numbers into ``(o, o - m_1, ..., o - m_K)``. Each ``m_k``
    is a running mean of the earlier steps of the episode, ``m <- keep m + (1 - keep) o``, which
    begins at the first o. With keep 0, ``o - m`` is the change since the step before, a velocity if
    o is a position; with 0.9 the mean is over some 10 steps, for evidence that comes bit by bit;
    with 1 it stays the first o, for a cue. A keep of 2 or more stands for the o so many steps
    before, until then the first. keys: of a Dict's or Tuple's parts; empty for other observations.
    """

    def __init__(self, keeps: Sequence[float], n: int, keys: Sequence[str | int] = ()) -> None:
        self._keys = tuple(keys)
        self._lags = [(k, int(keep)) for k, keep in enumerate(keeps) if keep > 1.0]
        self._longest = max((lag for _, lag in self._lags), default=0)
        # What a lag recalls is set in every step, whatever its mean would be.
        self._keeps: FloatArray = np.minimum(np.array(keeps, dtype=np.float64), 1.0)[:, None]
        self._means: list[FloatArray | None] = [None] * n
        self._past: list[list[FloatArray]] = [[]] * n

    def begin(self, i: int) -> None:
        """Begin an episode of environment *i*: forget its observations."""
        self._means[i] = None

    def numbers(self, observation: Shown) -> FloatArray:
        """Return an observation without memories, ``(d,)``."""
        numbers: FloatArray = np.asarray(parts_in(observation, self._keys), dtype=np.float64)
        return numbers.ravel()

    def see(self, i: int, observation: Shown) -> FloatArray:
        """Return the observation of environment *i* extended by its memories, and remember it."""
        now = self.numbers(observation)
        mean = self._means[i]
        if mean is None or mean.shape[1] != len(now):
            mean = np.repeat(now[None], len(self._keeps), axis=0)
            self._past[i] = [now.copy()] * self._longest
        for k, lag in self._lags:
            mean[k] = self._past[i][-lag]
        shown: FloatArray = np.concatenate([now, (now - mean).ravel()])
        self._means[i] = self._keeps * mean + (1.0 - self._keeps) * now
        if self._longest:
            self._past[i] = [*self._past[i][1:], now.copy()]
        return shown

    def kept(self, i: int) -> dict[str, Array | None]:
        """Return copies of what it remembers of environment *i*, by name."""
        mean = self._means[i]
        kept: dict[str, Array | None] = {"means": None if mean is None else mean.copy()}
        return kept | {"past": np.array(self._past[i])} if self._longest else kept

    def go_on(self, i: int, kept: Mapping[str, Array | None]) -> None:
        """Remember of environment *i* what `kept` returned."""
        mean, past = kept["means"], kept.get("past")
        self._means[i] = None if mean is None else np.array(mean)
        self._past[i] = [] if past is None else [np.array(row) for row in past]

    def copy(self, other: Memories) -> None:
        """Take over all that *other* remembers."""
        self._means = [None if mean is None else mean.copy() for mean in other._means]
        self._past = list(other._past)


def remembering(keeps: Sequence[float], cells: Features, n: int) -> Memories | None:
    """Return what remembers for *n* environments what *cells* see; None without memories."""
    keys = cells.keys if isinstance(cells, (HashedStates, SelectParts)) else ()
    return Memories(keeps, n, keys) if keeps else None


def extended(rows: FloatArray, lengths: Sequence[int], keeps: Sequence[float]) -> FloatArray:
    """Return *rows* of observations as an agent with such memories sees them.

    rows: observations of episodes one after the other, ``(n, d)``. lengths: the number of rows of
    each episode.
    """
    memories, shown, k = Memories(keeps, 1), [], 0
    for length in lengths:
        memories.begin(0)
        for row in rows[k : k + length]:
            shown.append(memories.see(0, row))
        k += length
    return np.array(shown)


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

    def see(self, i: int, observation: Shown) -> None:
        """Take the observation of environment *i* after a step."""
        if not self._n:
            self.see_again(i, observation)
            return
        now = self._features.flat(observation)
        rows = self.flat[i].reshape(1 + self._n, self._size)
        rows[2:] = rows[1:-1].copy()  # a copy, as the slices overlap
        rows[1] = now - rows[0]
        rows[0] = now

    def see_again(self, i: int, observation: Shown) -> None:
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
